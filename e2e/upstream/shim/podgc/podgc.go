// Package podgc stands in for upstream's pkg/controller/podgc: its controller is
// ours.
package podgc

import (
	"context"
	"time"

	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/podgc"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// Controller deletes Pods that nobody else will.
type Controller struct{ remote *remote.Controller }

// NewPodGCInternal returns a Controller that starts with Run. Like
// upstream's it panics if it cannot be made: its signature has no error.
func NewPodGCInternal(_ context.Context, client kubernetes.Interface, pods coreinformers.PodInformer, nodes coreinformers.NodeInformer,
	terminatedPodThreshold int, period, quarantine time.Duration) *Controller {
	c, err := remote.New(client)
	if err != nil {
		panic(err)
	}
	r, err := podgc.New(podgc.Config{
		Host: engine.Host{View: c.Engine().View(), API: c.API()}, TerminatedPodThreshold: terminatedPodThreshold, Period: period, Quarantine: quarantine,
	})
	if err != nil {
		panic(err)
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.Nodes, nodes.Informer()); err != nil {
		panic(err)
	}
	if err := c.Follow(engine.Pods, pods.Informer()); err != nil {
		panic(err)
	}
	return &Controller{c}
}

// Run runs until ctx ends.
func (c *Controller) Run(ctx context.Context) { c.remote.Run(ctx) }
