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

// Output is what a program has written for a client that reads it in its own
// time. The engine's goroutine puts, one other takes; neither waits for the other.
type Output struct {
	mu      sync.Mutex
	parts   []written
	size    int
	ended   bool
	slow    bool          // something had to be dropped
	changed chan struct{} // closed at the next change, nil if nobody waits
}

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
	if o.size+len(data) > dropMax {
		o.slow, o.ended = true, true
	} else {
		o.parts = append(o.parts, written{stderr, data})
		o.size += len(data)
	}
	o.notify()
}

// Full tells that the client should read before more is put.
func (o *Output) Full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.ended && o.size >= outputMax
}

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
	parts, drained = o.parts, o.size >= outputMax
	o.parts, o.size = nil, 0
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
	drained = o.size >= outputMax
	o.parts, o.size = nil, 0
	return string(all), drained, o.ended
}
