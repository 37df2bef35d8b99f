// Package cluster is a whole simulated cluster: it joins the store, the API server, the
// engine, controllers and kubelets to a ring, takes that apart, and does with its time
// and its history what its backend can.
//
// Invariant: it knows nothing of a command line or of HTTP handlers, and prints nothing.
// Those who have a cluster call it, and are told what happens through Options.
package cluster

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/internal/datadir"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/internal/listener"
)

// Cluster is a running cluster.
type Cluster struct {
	options    Options
	dir        *datadir.Dir
	listener   net.Listener
	kubeconfig string
	// failed receives the first error of a part that must not end.
	failed  chan error
	reverts reverts
	// recorded: Options.Recorder has begun.
	recorded bool

	// ctx outlives every ring.
	ctx context.Context
	// ring is the present one, or the last: it is taken apart and another put together
	// when the cluster is rewound.
	ring atomic.Pointer[ring]
}

// Start builds the cluster and starts it. The caller must Close it.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	accepts := o.Listener
	switch {
	case accepts != nil:
	case o.Listen == "":
		accepts = listener.NewMemory()
	default:
		if accepts, err = listener.Open(o.Listen); err != nil {
			return nil, err
		}
	}
	c := &Cluster{options: o, listener: accepts, ctx: context.WithoutCancel(ctx), failed: make(chan error, 4)}
	if c.dir, err = datadir.Open(o.DataDir, o.Ephemeral); err == nil {
		err = c.assemble(life{mode: o.Mode, speed: o.Speed, paused: o.Paused})
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close stops everything in order and writes out what is pending.
func (c *Cluster) Close() {
	c.reverts.end()
	if r := c.ring.Load(); r != nil {
		r.takeApart()
	}
	_ = c.listener.Close() // nobody is left to tell
	if c.dir != nil {
		c.dir.Close()
	}
}

// Wait returns when ctx ends, or earlier with the reason why the cluster
// cannot go on.
func (c *Cluster) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.failed:
		return err
	}
}

// readyInterval is how often AwaitReady asks. Unit: wall time.
const readyInterval = 5 * time.Millisecond

// AwaitReady returns when the API answers and every node is Ready, or when ctx
// ends.
func (c *Cluster) AwaitReady(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err == nil && nodesReady(nodes.Items, c.options.Nodes) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.failed:
			return err
		case <-ticker.C:
		}
	}
}

// nodesReady reports whether every simulated node is Ready.
func nodesReady(nodes []corev1.Node, want int) bool {
	ready := 0
	for i := range nodes {
		for _, condition := range nodes[i].Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	return ready >= want
}

// Kubeconfig is the path of the kubeconfig that has the cluster's entries: the one that
// Options name, else the one in the data directory.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// RESTConfig is the administrator's, for any client of this process: like its entries in
// the kubeconfig, and without a port if the cluster has none. Requests are not limited.
// It outlives a rewind, which closes its connections. client-go's executors of exec,
// attach and port-forward dial for themselves, so that they need a cluster with a port.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config := rest.CopyConfig(&c.ring.Load().access)
	config.QPS = -1
	if m, ok := c.listener.(*listener.Memory); ok {
		config.Dial = m.Dial
		// A server that stops gives HTTP/2's connections a second to learn of it.
		config.NextProtos = []string{"http/1.1"}
	}
	return config, nil
}

// Client may do anything, and needs no port: its requests run the API server's
// own handlers, in this process. It is that of the ring as it is now: a rewind
// ends it.
func (c *Cluster) Client() kubernetes.Interface { return c.ring.Load().server.Client() }

// Resources are the kinds of objects that lie in the store.
func (c *Cluster) Resources() []apiserver.PersistedResource {
	return c.ring.Load().server.Local().Persisted()
}

// FollowResources tells f of all Resources, and of each change from then on, until the
// cluster is rewound or restarted. f must not cause another change.
func (c *Cluster) FollowResources(f func(apiserver.ServedChange)) {
	c.ring.Load().server.Local().Follow(f)
}

// files are the cluster's file and its snapshots.
func (c *Cluster) files() history.Files { return history.Files{Dir: c.dir} }

// warn tells the user about what the cluster goes on without.
func (c *Cluster) warn(text string) {
	if c.options.Warn != nil {
		c.options.Warn(text)
	}
}

// fail reports why the cluster cannot go on.
func (c *Cluster) fail(err error) {
	select {
	case c.failed <- err:
	default: // the first error is the one that counts
	}
}
