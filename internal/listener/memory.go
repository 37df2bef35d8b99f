package listener

import (
	"context"
	"net"
	"sync"
)

// memory is a listener that only this process reaches: a cluster in a test or a
// scenario needs no port. Closing it ends it for good; see borrow.
type memory struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Accept implements net.Listener.
func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// memoryAddr is what the API server's certificate and the kubeconfig say; nobody
// listens there.
func memoryAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }

// Addr implements net.Listener.
func (m *memory) Addr() net.Addr { return memoryAddr() }

// dial connects to whoever accepts, whatever the address.
func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
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
func (m *memory) borrow() net.Listener { return &borrowedMemory{memory: m, done: make(chan struct{})} }

// borrowedMemory is a borrowed memory: closing it leaves the other open.
type borrowedMemory struct {
	*memory
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
