package app

import (
	"context"
	"net"
	"sync"
	"time"
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
func (m *memory) borrow() net.Listener {
	return &borrowedMemory{memory: m, done: make(chan struct{}), open: map[*memoryConn]struct{}{}}
}

// borrowedMemory is a borrowed memory: closing it leaves the other open.
type borrowedMemory struct {
	*memory
	once sync.Once
	done chan struct{}

	mu   sync.Mutex
	open map[*memoryConn]struct{}
}

// memoryConn is a server's end of a connection.
type memoryConn struct {
	net.Conn
	of *borrowedMemory
}

// Accept implements net.Listener.
func (b *borrowedMemory) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		b.mu.Lock()
		defer b.mu.Unlock()
		c := &memoryConn{Conn: conn, of: b}
		b.open[c] = struct{}{}
		return c, nil
	case <-b.done:
	case <-b.closed:
	}
	return nil, net.ErrClosed
}

// Close implements net.Conn.
func (c *memoryConn) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	delete(c.of.open, c)
	return c.Conn.Close()
}

// unreadMax bounds how long a server that stops waits for clients that do not read. A
// port has buffers; here every write waits for its reader. Unit: wall time.
const unreadMax = 100 * time.Millisecond

// Close implements net.Listener.
func (b *borrowedMemory) Close() error {
	b.once.Do(func() {
		close(b.done)
		time.AfterFunc(unreadMax, b.cut)
	})
	return nil
}

// cut ends the connections that are left.
func (b *borrowedMemory) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		_ = c.Conn.Close() // of a pipe it never fails
	}
}
