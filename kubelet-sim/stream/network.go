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
	"time"
)

// KubeletPort is where the kubelet of each node listens. Source:
// KubeletPort in k8s.io/kubernetes pkg/cluster/ports v1.37.2.
const KubeletPort = 10250

// Network is the way from outside into the simulated cluster: connections to
// its kubelets and to the servers of its Pods. They never leave the process.
type Network struct {
	host Host
	// kubelets serves every node's kubelet.
	kubelets *http.Server
	nodes    map[netip.Addr]bool
	arrived  chan net.Conn
	// ctx ends with the network, and every connection with it.
	ctx   context.Context
	close context.CancelFunc
	// ending ends some time before, and every session with it.
	ending context.Context
	end    context.CancelFunc

	// mu guards ended, and that no session begins after it.
	mu       sync.Mutex
	ended    bool
	sessions sync.WaitGroup
}

// endMax bounds how long a Network that is closed waits for its sessions to tell
// their clients. Unit: wall time.
const endMax = 300 * time.Millisecond

// NewNetwork returns the network of the nodes of these addresses, with host
// behind their kubelets. It must be closed.
func NewNetwork(host Host, nodes []netip.Addr) *Network {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Network{host: host, nodes: map[netip.Addr]bool{}, arrived: make(chan net.Conn), ctx: ctx, close: cancel}
	n.ending, n.end = context.WithCancel(ctx)
	for _, addr := range nodes {
		n.nodes[addr] = true
	}
	n.kubelets = &http.Server{
		Handler: newKubelet(n),
		// A connection's requests end with it, also after it was upgraded.
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			go func() {
				defer cancel()
				p := c.(*pipe)
				select {
				case <-p.gone:
				case <-p.closed:
				case <-n.ctx.Done():
				}
				_ = p.Close() // a pipe's never fails
			}()
			return ctx
		},
	}
	go func() { _ = n.kubelets.Serve(listener{n}) }() // it ends with Close
	return n
}

// begin returns the context of a session, and what must be called at its end.
func (n *Network) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return nil, nil, errEnded
	}
	n.sessions.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(n.ending, func() { cancel(errEnded) })
	return ctx, func() {
		stop()
		cancel(nil)
		n.sessions.Done()
	}, nil
}

// Close ends every session, whose client is told why, and then every connection.
func (n *Network) Close() {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	n.end()
	told, cancel := context.WithTimeout(context.Background(), endMax)
	go func() {
		n.sessions.Wait()
		cancel()
	}()
	<-told.Done()
	n.close()
	_ = n.kubelets.Close() // the listener is ours, and never fails
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
	ErrRefused     = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	ErrUnreachable = os.NewSyscallError("connect", syscall.EHOSTUNREACH)
)

var (
	errClosed = errors.New("kubesim: the simulated cluster is being stopped")
	// errEnded is what the client of a session hears.
	errEnded = errors.New("the kubesim server stops or is rewound, which ends the session")
)

// dial connects to the listener there.
func (n *Network) dial(ctx context.Context, to Address) (*pipe, error) {
	if err := n.host.Listens(ctx, to); err != nil {
		return nil, err
	}
	client, server := newPipe()
	if to.Pod == "" && n.nodes[to.IP] && to.Port == KubeletPort {
		select {
		case n.arrived <- server:
			return client, nil
		case <-n.ctx.Done():
			return nil, errClosed
		}
	}
	go n.connect(to, server)
	return client, nil
}

// connect joins a connection to a simulated server until one of them closes it.
func (n *Network) connect(to Address, c *pipe) {
	ctx, cancel := context.WithCancel(n.ctx)
	defer cancel()
	defer func() { _ = c.Close() }() // a pipe's never fails
	go func() {
		defer cancel()
		select {
		case <-c.gone:
		case <-ctx.Done():
		}
	}()
	_ = n.host.Connect(ctx, to, Client{Stdin: c, Stdout: c}) // the client sees that the connection ends
}

// listener hands the server its connections.
type listener struct{ n *Network }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.arrived:
		return c, nil
	case <-l.n.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l listener) Close() error { return nil }

// Addr implements net.Listener.
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }
