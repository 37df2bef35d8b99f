package listener

import (
	"context"
	"net"
	"sync"
)

// Memory is a listener that only this process reaches: a cluster in a test or a
// scenario needs no port. Closing it ends it for good; see Borrow.
type Memory struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// NewMemory returns one.
func NewMemory() *Memory { return &Memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Accept implements net.Listener.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// memoryAddr is what the API server's certificate and the kubeconfig say; nobody
// listens there.
func memoryAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }

// Addr implements net.Listener.
func (m *Memory) Addr() net.Addr { return memoryAddr() }

// Dial connects to the listener, whatever the address.
func (m *Memory) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// borrow returns a listener for one of several servers, see borrowed.
func (m *Memory) borrow() net.Listener { return &borrowedMemory{Memory: m, done: make(chan struct{})} }

// borrowedMemory is a borrowed Memory: closing it leaves the other open.
type borrowedMemory struct {
	*Memory
	once sync.Once
	done chan struct{}
	open connections
}

// Accept implements net.Listener.
func (b *borrowedMemory) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return b.open.add(conn), nil
	case <-b.done:
	case <-b.closed:
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (b *borrowedMemory) Close() error {
	b.once.Do(func() { close(b.done) })
	b.open.end()
	return nil
}
