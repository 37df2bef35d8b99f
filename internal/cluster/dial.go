package cluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// dialPath is where a server of a shared cluster reaches, at the one that leads,
// the kubelets and Pods that are simulated there: the connection becomes one to
// the parameter address.
const dialPath = "/kubesim/dial"

// errNoLeader is the answer while no server runs the containers.
var errNoLeader = errors.New("no kubesim server leads this cluster at the moment, so that no container runs: try again in some seconds")

// dial connects to a kubelet or a Pod, here or at the leader.
func (s *shared) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if here := s.network.Load(); here != nil {
		return here.DialContext(ctx, network, address)
	}
	leader, err := s.leader(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := s.dialLeader(ctx, leader, address)
	if err != nil {
		return nil, fmt.Errorf("the kubesim server at %s, which runs the containers: %w", leader, err)
	}
	return conn, nil
}

// leader returns the address of the server that leads.
func (s *shared) leader(ctx context.Context) (string, error) {
	lease, err := s.ring.server.Client().CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	leader, _, _ := strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "_")
	if leader == "" {
		return "", errNoLeader
	}
	return leader, nil
}

// dialLeader asks the leader to connect to address.
func (s *shared) dialLeader(ctx context.Context, leader, address string) (_ net.Conn, err error) {
	config, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: s.forward})
	if err != nil {
		return nil, err
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", leader)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // the first error is the one that counts
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // what follows tells
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+leader+dialPath+"?address="+url.QueryEscape(address), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "kubesim")
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	read := bufio.NewReader(conn)
	response, err := http.ReadResponse(read, req)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what there is of it
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return &upgraded{conn, read}, nil
}

// upgraded is a connection of which something was read ahead.
type upgraded struct {
	net.Conn
	read *bufio.Reader
}

// Read implements net.Conn.
func (u *upgraded) Read(b []byte) (int, error) { return u.read.Read(b) }

// ServeHTTP answers dialPath, for other servers of the cluster alone: they have
// authorized their user themselves.
func (s *shared) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if u, ok := genericrequest.UserFrom(req.Context()); !ok || u.GetName() != forwarder {
		http.Error(w, dialPath+" is for the other servers of this cluster", http.StatusForbidden)
		return
	}
	// Two servers that each believe that the other leads do not ask each other forever.
	here := s.network.Load()
	if here == nil {
		http.Error(w, errNoLeader.Error(), http.StatusServiceUnavailable)
		return
	}
	server, err := here.DialContext(req.Context(), "tcp", req.URL.Query().Get("address"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = server.Close() }() // nobody is left to tell
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = client.Close() }() // as above
	if _, err := io.WriteString(client, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: kubesim\r\n\r\n"); err != nil {
		return // it has gone already
	}
	done := make(chan struct{}, 2)
	for _, way := range []struct {
		to   io.WriteCloser
		from io.Reader
	}{{server, buffered}, {client, server}} {
		go func() {
			_, _ = io.Copy(way.to, way.from) // one of them has gone, or both are done
			done <- struct{}{}
		}()
	}
	<-done
}
