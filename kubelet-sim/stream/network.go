package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
)

// KubeletPort is where the kubelet of each node listens. Source:
// KubeletPort in k8s.io/kubernetes pkg/cluster/ports v1.37.2.
const KubeletPort = 10250

// Network is the way from outside into the simulated cluster: connections to
// its kubelets and to the servers of its Pods. They never leave the process.
type Network struct {
	host    Host
	nodes   map[netip.Addr]bool
	server  *http.Server
	arrived chan net.Conn
	closed  chan struct{}
	once    sync.Once

	mu    sync.Mutex
	conns map[*conn]bool
}

// NewNetwork returns the network of the nodes of these addresses, with host
// behind their kubelets. It must be closed.
func NewNetwork(host Host, nodes []netip.Addr) *Network {
	n := &Network{
		host: host, nodes: map[netip.Addr]bool{}, arrived: make(chan net.Conn), closed: make(chan struct{}), conns: map[*conn]bool{},
	}
	for _, addr := range nodes {
		n.nodes[addr] = true
	}
	kubelet := newKubelet(n)
	n.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			c := connOf(req.Context())
			w.Header()["Date"] = []string{host.Now().UTC().Format(http.TimeFormat)}
			if c.to.Pod == "" && n.nodes[c.to.IP] && c.to.Port == KubeletPort {
				kubelet.ServeHTTP(w, req)
				return
			}
			n.forward(w, req, c.to)
		}),
		// A connection's requests end with it, also after it was upgraded.
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			c.(*conn).gone = cancel
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	go func() { _ = n.server.Serve(listener{n}) }() // it ends with Close
	return n
}

// Close ends every connection.
func (n *Network) Close() {
	n.once.Do(func() { close(n.closed) })
	_ = n.server.Close() // the listener is ours, and never fails
	n.mu.Lock()
	open := make([]*conn, 0, len(n.conns))
	for c := range n.conns {
		open = append(open, c)
	}
	n.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // a pipe's never fails
	}
}

// DialContext connects to address, an IP and a port. It is for
// http.Transport.DialContext.
func (n *Network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("kubesim: the simulated cluster is reached by IP and port, not by %q: %w", address, err)
	}
	c, err := n.dial(ctx, Address{IP: to.Addr(), Port: int32(to.Port())})
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return c, nil
}

// What a connection may fail with, as the net package says it.
var (
	ErrRefused     error = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	ErrUnreachable error = os.NewSyscallError("connect", syscall.EHOSTUNREACH)
)

var errClosed = errors.New("kubesim: the simulated cluster is being stopped")

// dial connects to whoever listens there.
func (n *Network) dial(ctx context.Context, to Address) (*pipe, error) {
	if err := n.host.Listens(ctx, to); err != nil {
		return nil, err
	}
	client, server := newPipe()
	c := &conn{Conn: server, n: n, to: to}
	n.mu.Lock()
	n.conns[c] = true
	n.mu.Unlock()
	select {
	case n.arrived <- c:
		return client, nil
	case <-n.closed:
		_ = c.Close() // nobody has it
		return nil, errClosed
	}
}

// listener hands the server its connections.
type listener struct{ n *Network }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.arrived:
		return c, nil
	case <-l.n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l listener) Close() error { return nil }

// Addr implements net.Listener.
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

// conn is the server's end of a connection. It tells when the client's is
// closed, which net/http does not after an upgrade.
type conn struct {
	net.Conn
	n    *Network
	to   Address
	gone context.CancelFunc
}

type connKey struct{}

func connOf(ctx context.Context) *conn { return ctx.Value(connKey{}).(*conn) }

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	count, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && c.gone != nil {
		c.gone()
	}
	return count, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	if c.gone != nil {
		c.gone()
	}
	return c.Conn.Close()
}
