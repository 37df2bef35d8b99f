package stream

import "sync/atomic"

// Buffers is what is kept for clients that read slowly, all together: what programs have
// written for them, and the parts of logs that they are reading. It does not depend on
// what containers do alone, so no account pays for it: the client is cut off, or gets
// its log in smaller parts. Nil has no bound.
type Buffers struct {
	limit int64
	held  atomic.Int64
}

// NewBuffers returns buffers for limit bytes.
func NewBuffers(limit int64) *Buffers { return &Buffers{limit: limit} }

// hold counts n more bytes, or fewer if n is negative, and reports whether there was room
// for them.
func (b *Buffers) hold(n int) bool {
	return b == nil || b.held.Add(int64(n)) <= b.limit
}

// Held is how much is kept. Unit: bytes.
func (b *Buffers) Held() int64 { return b.held.Load() }
