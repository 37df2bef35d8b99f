package kernel

import (
	"io"
	"strconv"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// pipeMax is the capacity of a pipe on Linux. Unit: bytes.
const pipeMax = 64 << 10

// pipe is the buffer between two processes.
type pipe struct {
	data             []byte
	readers, writers int
	bound            int // most bytes that it holds
	changed          waiters
}

// Pipe returns the read end and the write end of a new pipe.
func (p *Proc) Pipe() (r, w *Open) { return p.newPipe(pipeMax) }

func (p *Proc) newPipe(bound int) (r, w *Open) {
	b := &pipe{readers: 1, writers: 1, bound: bound}
	p.m.lastPipe++
	name := "pipe:[" + strconv.Itoa(4026531000+p.m.lastPipe) + "]"
	return newOpen(&pipeReader{b}, name), newOpen(&pipeWriter{b}, name)
}

type pipeReader struct{ *pipe }

func (r *pipeReader) read(p *Proc, b []byte) (int, error) {
	for len(r.data) == 0 {
		if r.writers == 0 {
			return 0, io.EOF
		}
		if p.pending != 0 {
			return 0, EINTR
		}
		p.wait(&r.changed, time.Time{})
	}
	n := copy(b, r.data)
	r.data = r.data[n:]
	if len(r.data) == 0 {
		r.data = nil
	}
	p.m.free(int64(n))
	r.changed.wake(p.m)
	return n, nil
}

func (r *pipeReader) write(*Proc, []byte) (int, error) { return 0, vfs.EBADF }

func (r *pipeReader) close(m *Machine) {
	if r.readers--; r.readers == 0 {
		m.free(int64(len(r.data)))
		r.data = nil
	}
	r.changed.wake(m)
}

type pipeWriter struct{ *pipe }

func (w *pipeWriter) write(p *Proc, b []byte) (int, error) {
	done := 0
	for {
		if w.readers == 0 {
			if p.ignored&(1<<SIGPIPE) == 0 && p.handled&(1<<SIGPIPE) == 0 {
				panic(unwind{p, Status{Signal: SIGPIPE}})
			}
			return done, EPIPE
		}
		if n := min(w.bound-len(w.data), len(b)-done); n > 0 {
			p.m.charge(p, int64(n))
			w.data = append(w.data, b[done:done+n]...)
			done += n
			w.changed.wake(p.m)
		}
		if done == len(b) {
			return done, nil
		}
		p.wait(&w.changed, time.Time{})
	}
}

func (w *pipeWriter) read(*Proc, []byte) (int, error) { return 0, vfs.EBADF }

func (w *pipeWriter) close(m *Machine) {
	w.writers--
	w.changed.wake(m)
}

// EINTR is returned by a read that a handled signal has interrupted.
const EINTR vfs.Error = "Interrupted system call"

// Capture returns an open file that keeps what is written to it, and a
// function that waits until nobody has it open any more and returns the bytes.
// It holds at most limit bytes; what is more is dropped.
func (p *Proc) Capture(limit int) (*Open, func() []byte) {
	c := &capture{owner: p, limit: limit}
	return newOpen(c, "pipe:[capture]"), func() []byte {
		for !c.closed {
			p.wait(&c.changed, time.Time{})
		}
		data := c.data
		p.Charge(-int64(len(data))) // it is the caller's now
		c.data = nil
		return data
	}
}

type capture struct {
	owner   *Proc // whose memory data is
	data    []byte
	limit   int
	closed  bool
	changed waiters
}

func (c *capture) read(*Proc, []byte) (int, error) { return 0, vfs.EBADF }

func (c *capture) write(p *Proc, b []byte) (int, error) {
	n := max(min(len(b), c.limit-len(c.data)), 0)
	if c.owner.ended {
		return len(b), nil
	}
	p.m.charge(p, int64(n))
	c.owner.memory += int64(n)
	c.data = append(c.data, b[:n]...)
	return len(b), nil
}

func (c *capture) close(m *Machine) {
	c.closed = true
	c.changed.wake(m)
}
