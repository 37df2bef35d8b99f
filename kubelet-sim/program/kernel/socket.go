package kernel

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// End is one end of a TCP connection. Its methods are for callers that are not processes:
// they do not wait, and are to be called where the engine runs containers.
type End struct {
	remote  netip.Addr // zero at the client's end
	past    bool       // at the server's end: see Route
	in, out *flow
}

// flow is one direction of a connection. What it holds is charged to its writer.
type flow struct {
	data []byte
	// file gives what follows data, as far as a server sends the contents of a file.
	file    *vfs.File
	closed  bool // nothing follows
	gone    bool // nobody reads
	changed waiters
	tell    func(at time.Time) // where the reader is no process
	drained func(at time.Time) // where the writer is none
	held    time.Time          // before it, nothing of data has arrived
	account Account
	charged int64
}

// flowMax is what one direction of a connection holds. Unit: bytes.
const flowMax = 256 << 10

func newConnection(from netip.Addr, client, server Account) (c, s *End) {
	up, down := newFlow(client), newFlow(server)
	return &End{in: down, out: up}, &End{remote: from, in: up, out: down}
}

func newFlow(writer Account) *flow {
	f := &flow{account: accountOr(writer)}
	f.force(flowCost)
	return f
}

func (f *flow) force(n int64) {
	f.account.Force(n)
	f.charged += n
}

// put adds data, which was charged.
func (f *flow) put(data []byte) { f.data = append(f.data, data...) }

// fill takes over what there is room for of the file.
func (f *flow) fill() {
	for f.file != nil && len(f.data) < flowMax {
		have := len(f.data)
		f.data = slices.Grow(f.data, flowMax-have)[:flowMax]
		n, err := f.file.Read(f.data[have:])
		f.data = f.data[:have+n]
		f.force(int64(n))
		if err != nil || n == 0 {
			f.file.Close()
			f.file = nil
		}
	}
}

// drop gives up n bytes that were read at an instant.
func (f *flow) drop(n int, at time.Time) {
	f.data = f.data[n:]
	if len(f.data) == 0 {
		f.data = nil
	}
	f.account.Hold(-int64(n))
	f.charged -= int64(n)
	f.fill()
	if f.drained != nil && !f.busy() {
		f.drained(at)
	}
}

// abandon says that this end is no longer read.
func (f *flow) abandon() {
	f.gone, f.tell, f.drained, f.data = true, nil, nil, nil
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
	f.force(-f.charged)
	f.account = nobody{}
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

// Tell says what to call when something has arrived or the peer has closed.
func (e *End) Tell(f func(at time.Time)) { e.in.tell = f }

// Take returns what has arrived since the last call, and whether nothing
// follows.
func (e *End) Take(at time.Time) (data []byte, closed bool) {
	if at.Before(e.in.held) {
		return nil, false
	}
	data = e.in.data
	e.in.drop(len(data), at)
	if len(data) > 0 {
		wakeAt(&e.in.changed, at) // the peer may wait for room
	}
	return data, e.in.closed && len(e.in.data) == 0
}

// Due returns when something arrives that is on its way; zero if nothing is.
func (e *End) Due(at time.Time) time.Time {
	if at.Before(e.in.held) {
		return e.in.held
	}
	return time.Time{}
}

// Room is how much Send takes. Unit: bytes.
func (e *End) Room() int { return max(flowMax-len(e.out.data), 0) }

// Send sends data, or is false if nobody is there any more. What is beyond Room
// is kept too: callers ask before.
func (e *End) Send(data []byte, at time.Time) bool {
	if e.out.gone || e.out.closed {
		return false
	}
	e.out.force(int64(len(data)))
	e.out.put(data)
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
	e.in.abandon()
	wakeAt(&e.in.changed, at)
	e.CloseWrite(at)
}

// socket is a process's end.
type socket struct{ *End }

func (s *socket) read(p *Proc, b []byte) (int, error) {
	for len(s.in.data) == 0 || p.m.now.Before(s.in.held) {
		due := s.Due(p.m.now)
		if due.IsZero() && s.in.closed {
			return 0, io.EOF
		}
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&s.in.changed, due)
	}
	n := copy(b, s.in.data)
	s.in.drop(n, p.m.now)
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
			if !s.out.account.Hold(int64(n)) {
				p.m.refuse(p)
			}
			s.out.account.Hold(-int64(n)) // Send charges it
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

// Readable waits until o can be read, for at most d, or forever if d is
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
	for len(s.in.data) == 0 && !s.in.closed || p.m.now.Before(s.in.held) {
		if p.pending != 0 || d >= 0 && !p.m.now.Before(deadline) {
			return false
		}
		until := deadline
		if due := s.Due(p.m.now); !due.IsZero() && (until.IsZero() || due.Before(until)) {
			until = due
		}
		p.wait(&s.in.changed, until)
	}
	return true
}
