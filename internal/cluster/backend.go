package cluster

import (
	"context"

	"github.com/kubesim-dev/kubesim/apiserver"
)

// backend is where a cluster's objects lie, with what follows from that: whose
// time it is, what a write waits for, and when this server's engine runs.
// wire.go calls the methods in the order in which they stand here.
type backend interface {
	// keys returns the cluster's certificate authority.
	keys() (*pki, error)
	// configure sets what the API server stands on: NewStorage, Clock, Random,
	// Gate, Logs and Handlers.
	configure(cfg *apiserver.Config) error
	// join lets every write, from now on and those of the past, reach the API
	// server's caches. It returns when the past ones have.
	join(ctx context.Context) error
	// run drives the cluster until ctx ends.
	run(ctx context.Context) error
	// close releases everything; nothing else runs any more.
	close()
}

// openBackend opens what the options ask for.
func openBackend(ctx context.Context, c *Cluster) (backend, error) {
	if len(c.options.Etcd.Servers) > 0 {
		return openEtcd(ctx, c)
	}
	return openBolt(c)
}
