package app

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// borrowed is a listener for an API server that may end while the cluster goes
// on: closing it leaves the port open, and clients that come meanwhile wait for
// the next server.
type borrowed struct {
	*net.TCPListener
	closed atomic.Bool
}

func borrow(l net.Listener) net.Listener {
	if m, ok := l.(*memory); ok {
		return m.borrow()
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return l
	}
	_ = tcp.SetDeadline(time.Time{}) // it fails only on a closed listener; so does Accept
	return &borrowed{TCPListener: tcp}
}

// Accept implements net.Listener.
func (b *borrowed) Accept() (net.Conn, error) {
	conn, err := b.TCPListener.Accept()
	if err != nil && b.closed.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close implements net.Listener.
func (b *borrowed) Close() error {
	b.closed.Store(true)
	return b.TCPListener.SetDeadline(time.Now())
}
