package kernel

import (
	"io"
	"net/netip"
	"time"
)

// End is one end of a TCP connection. Its methods are for who is no process:
// they do not wait, and are to be called where the engine runs containers.
type End struct {
	remote  netip.Addr // zero at the client's end
	in, out *flow
}

// flow is one direction of a connection.
type flow struct {
	data    []byte
	closed  bool // nothing follows
	gone    bool // nobody reads
	changed waiters
	tell    func(at time.Time) // where the reader is no process
}

// flowMax is what one direction of a connection holds. Unit: bytes.
const flowMax = 256 << 10

func newConnection(from netip.Addr) (client, server *End) {
	up, down := &flow{}, &flow{}
	return &End{in: down, out: up}, &End{remote: from, in: up, out: down}
}

// signal says that f has changed.
func (f *flow) signal(at time.Time) {
	wakeAt(&f.changed, at)
	if f.tell != nil {
		f.tell(at)
	}
}

// wakeAt wakes tasks that may be of another machine than the one that runs.
func wakeAt(w *waiters, at time.Time) {
	for _, t := range *w {
		t.m.ready(t)
		t.m.woken(at)
	}
	*w = (*w)[:0]
}

// Tell says whom to call when something has arrived or the peer has closed.
func (e *End) Tell(f func(at time.Time)) { e.in.tell = f }

// Take returns what has arrived since the last call, and whether nothing
// follows.
func (e *End) Take(at time.Time) (data []byte, closed bool) {
	data = e.in.data
	e.in.data = nil
	if len(data) > 0 {
		wakeAt(&e.in.changed, at) // the peer may wait for room
	}
	return data, e.in.closed
}

// Room is how much Send takes. Unit: bytes.
func (e *End) Room() int { return max(flowMax-len(e.out.data), 0) }

// Send sends data, or is false if nobody is there any more. What is beyond Room
// is kept too: callers ask before.
func (e *End) Send(data []byte, at time.Time) bool {
	if e.out.gone || e.out.closed {
		return false
	}
	e.out.data = append(e.out.data, data...)
	e.out.signal(at)
	return true
}

// CloseWrite says that nothing follows.
func (e *End) CloseWrite(at time.Time) {
	if !e.out.closed {
		e.out.closed = true
		e.out.signal(at)
	}
}

// Close ends the connection.
func (e *End) Close(at time.Time) {
	e.in.gone, e.in.tell = true, nil
	wakeAt(&e.in.changed, at)
	e.CloseWrite(at)
}

// socket is a process's end.
type socket struct{ *End }

func (s *socket) read(p *Proc, b []byte) (int, error) {
	for len(s.in.data) == 0 {
		if s.in.closed {
			return 0, io.EOF
		}
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&s.in.changed, time.Time{})
	}
	n := copy(b, s.in.data)
	s.in.data = s.in.data[n:]
	wakeAt(&s.in.changed, p.m.now)
	return n, nil
}

func (s *socket) write(p *Proc, b []byte) (int, error) {
	done := 0
	for {
		if s.out.gone || s.out.closed {
			if p.ignored&(1<<SIGPIPE) == 0 && p.handled&(1<<SIGPIPE) == 0 {
				panic(unwind{p, Status{Signal: SIGPIPE}})
			}
			return done, EPIPE
		}
		if n := min(s.Room(), len(b)-done); n > 0 {
			done += n
			s.Send(b[done-n:done], p.m.now)
			if s.out.tell != nil { // a server has looked at all that has come
				p.Work(len(s.out.data) / 4)
			}
		}
		if done == len(b) {
			return done, nil
		}
		p.wait(&s.out.changed, time.Time{})
	}
}

func (s *socket) close(m *Machine) { s.Close(m.now) }

// CloseWrite says on a connection that nothing follows; elsewhere it does
// nothing.
func (o *Open) CloseWrite(p *Proc) {
	if s, ok := o.handle.(*socket); ok {
		s.CloseWrite(p.m.now)
	}
}

// Readable waits until o can be read, for at most d, or for ever if d is
// negative. It is false if the time is over or a signal has come.
func (o *Open) Readable(p *Proc, d time.Duration) bool {
	s, ok := o.handle.(*socket)
	if !ok {
		return true
	}
	deadline := time.Time{}
	if d >= 0 {
		deadline = p.m.now.Add(d)
	}
	for len(s.in.data) == 0 && !s.in.closed {
		if p.pending != 0 || d >= 0 && !p.m.now.Before(deadline) {
			return false
		}
		p.wait(&s.in.changed, deadline)
	}
	return true
}
