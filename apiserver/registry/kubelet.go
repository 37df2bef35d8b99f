package registry

import (
	"context"
	"net"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
)

// Dialer connects to an address inside the simulated cluster: a node's kubelet, or a
// Pod's port. It is all that the API server knows of what runs there. No path leads
// from it to the host's network.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Transport returns the way to servers inside the cluster, for the proxy
// subresources.
func (d Dialer) Transport() http.RoundTripper {
	// A connection costs almost nothing, so none is kept for later.
	return &http.Transport{DialContext: d, DisableKeepAlives: true}
}

// Kubelets finds the nodes' kubelets as nodes does, but connects to them through the
// dialer and without TLS. They are in this process, or behind a connection between
// servers that has TLS of its own.
func (d Dialer) Kubelets(nodes kubeletclient.ConnectionInfoGetter) kubeletclient.ConnectionInfoGetter {
	return kubelets{nodes, d.Transport()}
}

type kubelets struct {
	nodes     kubeletclient.ConnectionInfoGetter
	transport http.RoundTripper
}

// GetConnectionInfo implements client.ConnectionInfoGetter.
func (k kubelets) GetConnectionInfo(ctx context.Context, name types.NodeName) (*kubeletclient.ConnectionInfo, error) {
	info, err := k.nodes.GetConnectionInfo(ctx, name)
	if err != nil {
		return nil, err
	}
	info.Scheme, info.Transport, info.InsecureSkipTLSVerifyTransport = "http", k.transport, k.transport
	return info, nil
}
