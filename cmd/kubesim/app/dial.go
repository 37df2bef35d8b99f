package app

import (
	"context"
	"errors"
	"net"
)

// errNoLeader is the answer of a server that does not run the containers.
var errNoLeader = errors.New("this kubesim server does not run the containers of the cluster: ask the one that leads")

// dial connects to a kubelet or a Pod, if they are simulated here.
func (s *shared) dial(ctx context.Context, network, address string) (net.Conn, error) {
	here := s.network.Load()
	if here == nil {
		return nil, errNoLeader
	}
	return here.DialContext(ctx, network, address)
}
