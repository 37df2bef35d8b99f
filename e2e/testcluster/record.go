package testcluster

import (
	"bytes"
	"sync"
)

// record keeps what the cluster writes, and wakes whoever waits for more.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newRecord() *record { return &record{more: make(chan struct{})} }

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.more)
	r.more = make(chan struct{})
	return r.text.Write(p)
}

// String returns all that was written.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// news returns a channel that is closed when more is written.
func (r *record) news() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.more
}
