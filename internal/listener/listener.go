// Package listener is where an API server takes its connections from: a port, or the
// memory of its own process. Servers that follow one another borrow it.
package listener

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Open opens the API's port.
func Open(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("cannot listen on %s: %w: choose another address with --listen, for example 127.0.0.1:0 for any free port", address, err)
	}
	return l, nil
}

// Reachable is the address that clients on this machine use.
func Reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// borrowed is a listener for an API server that may end while the cluster goes
// on: closing it leaves the port open, and clients that come meanwhile wait for
// the next server. The connections that it has accepted end soon after.
type borrowed struct {
	*net.TCPListener
	closed atomic.Bool
	open   connections
}

// Borrow returns a listener for one of several servers that follow one another on l.
func Borrow(l net.Listener) net.Listener {
	if m, ok := l.(*Memory); ok {
		return m.borrow()
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return &owned{Listener: l}
	}
	_ = tcp.SetDeadline(time.Time{}) // it fails only on a closed listener; so does Accept
	return &borrowed{TCPListener: tcp}
}

// Accept implements net.Listener.
func (b *borrowed) Accept() (net.Conn, error) {
	conn, err := b.TCPListener.Accept()
	if err == nil {
		return b.open.add(conn), nil
	}
	if b.closed.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	return nil, err
}

// Close implements net.Listener.
func (b *borrowed) Close() error {
	b.closed.Store(true)
	b.open.end()
	return b.TCPListener.SetDeadline(time.Now())
}

// owned is a listener of the caller's that cannot be borrowed.
type owned struct {
	net.Listener
	open connections
}

// Accept implements net.Listener.
func (o *owned) Accept() (net.Conn, error) {
	conn, err := o.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return o.open.add(conn), nil
}

// Close implements net.Listener.
func (o *owned) Close() error {
	o.open.end()
	return o.Listener.Close()
}
