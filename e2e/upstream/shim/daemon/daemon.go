// Package daemon stands in for upstream's pkg/controller/daemon: its controller is ours.
package daemon

import (
	"context"

	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kubesim-dev/kubesim/controllers/daemonset"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// DaemonSetsController runs DaemonSets.
//
//nolint:revive // the name that upstream's tests know
type DaemonSetsController struct{ remote *remote.Controller }

// NewDaemonSetsController returns a controller that starts with Run. Its back-off is ours,
// that of kube-controller-manager.
func NewDaemonSetsController(_ context.Context, sets appsinformers.DaemonSetInformer, revisions appsinformers.ControllerRevisionInformer,
	pods coreinformers.PodInformer, nodes coreinformers.NodeInformer, client kubernetes.Interface, _ *flowcontrol.Backoff) (*DaemonSetsController, error) {
	c, err := remote.New(client)
	if err != nil {
		return nil, err
	}
	r, err := daemonset.New(engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("daemonset-controller")})
	if err != nil {
		return nil, err
	}
	c.Engine().Register(r)
	for _, followed := range []error{
		c.Follow(engine.DaemonSets, sets.Informer()), c.Follow(engine.ControllerRevisions, revisions.Informer()),
		c.Follow(engine.Pods, pods.Informer()), c.Follow(engine.Nodes, nodes.Informer()),
	} {
		if followed != nil {
			return nil, followed
		}
	}
	return &DaemonSetsController{c}, nil
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *DaemonSetsController) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
