package stream

import (
	"net"
	"sync"
	"time"
)

// pipe is one end of a connection within the process. Unlike net.Pipe's, its
// directions can be closed one by one, as TCP's.
type pipe struct {
	net.Conn // what is read
	out      net.Conn
	// closed is when this end was, gone when the other was.
	closed, gone chan struct{}
	once         sync.Once
}

func newPipe() (a, b *pipe) {
	fromA, toB := net.Pipe()
	fromB, toA := net.Pipe()
	closedA, closedB := make(chan struct{}), make(chan struct{})
	return &pipe{Conn: toA, out: fromA, closed: closedA, gone: closedB}, &pipe{Conn: toB, out: fromB, closed: closedB, gone: closedA}
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }

// SetDeadline implements net.Conn.
func (p *pipe) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t) // it fails as the other does
	return p.SetWriteDeadline(t)
}

// CloseWrite says that nothing follows.
func (p *pipe) CloseWrite() error { return p.out.Close() }

// Close implements net.Conn.
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	_ = p.out.Close() // a pipe's never fails
	return p.Conn.Close()
}
