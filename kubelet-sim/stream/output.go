package stream

import (
	"context"
	"io"
	"sync"
)

// Bounds of what is kept for a client that reads slowly. From outputMax on, a
// command that writes is held up; what cannot be held up, such as a terminal's
// echo or a container that a client is attached to, is dropped beyond dropMax,
// and the client with it. Unit: bytes.
const (
	outputMax = 256 << 10
	dropMax   = 2 << 20
)

// partMax is how much of one stream lies in one piece: programs that write a line at a
// time would else fill memory with the pieces' heads. partsMax is how many pieces make
// an output full, where the two streams take turns. Units: bytes, and a number.
const (
	partMax  = 32 << 10
	partsMax = 4 << 10
)

// Output is what a program has written for a client that reads it in its own
// time. The engine's goroutine puts, one other takes; neither waits for the other.
type Output struct {
	mu      sync.Mutex
	parts   []written
	size    int
	ended   bool
	slow    bool          // something had to be dropped
	changed chan struct{} // closed at the next change, nil if nobody waits
	buffers *Buffers
}

// NewOutput returns an output that counts among buffers; nil for no bound.
func NewOutput(buffers *Buffers) *Output { return &Output{buffers: buffers} }

// ownMax is what is kept for a client when there is too much for all of them. Unit: bytes.
const ownMax = 64 << 10

// written is one write.
type written struct {
	stderr bool
	data   []byte
}

// Put adds what a program has written.
func (o *Output) Put(stderr bool, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	room := o.buffers.hold(len(data))
	if o.size+len(data) > dropMax || len(o.parts) > 4*partsMax || !room && o.size+len(data) > ownMax {
		o.buffers.hold(-len(data))
		o.slow, o.ended = true, true
	} else {
		o.add(stderr, data)
		o.size += len(data)
	}
	o.notify()
}

// add keeps data, which must not be changed afterwards.
func (o *Output) add(stderr bool, data []byte) {
	if n := len(o.parts); n > 0 {
		if last := &o.parts[n-1]; last.stderr == stderr && len(last.data)+len(data) <= partMax {
			last.data = append(last.data[:len(last.data):cap(last.data)], data...)
			return
		}
	}
	o.parts = append(o.parts, written{stderr, data[:len(data):len(data)]})
}

// Full tells that the client should read before more is put.
func (o *Output) Full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.ended && o.full()
}

// Drop gives up what was not taken: the client is gone.
func (o *Output) Drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.clear()
	o.notify()
}

func (o *Output) clear() {
	o.buffers.hold(-o.size)
	o.parts, o.size = nil, 0
}

func (o *Output) full() bool { return o.size >= outputMax || len(o.parts) >= partsMax }

// End says that nothing follows.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.notify()
}

func (o *Output) notify() {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// take waits for something and returns it, and whether that has made room in a
// full output. The error is io.EOF at the end, errSlow if something is missing
// there.
func (o *Output) take(ctx context.Context) (parts []written, drained bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.parts) == 0 {
		switch {
		case o.slow:
			return nil, false, errSlow
		case o.ended:
			return nil, false, io.EOF
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		o.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
	parts, drained = o.parts, o.full()
	o.clear()
	return parts, drained, nil
}

// Now returns what there is to take, without waiting, whether that has made room in a
// full output, and whether nothing follows.
func (o *Output) Now() (text string, drained, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []byte
	for _, part := range o.parts {
		all = append(all, part.data...)
	}
	drained = o.full()
	o.clear()
	return string(all), drained, o.ended
}
