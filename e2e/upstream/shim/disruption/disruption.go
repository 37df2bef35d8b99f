// Package disruption stands in for upstream's pkg/controller/disruption: its
// controller is ours.
package disruption

import (
	"context"

	coreinformers "k8s.io/client-go/informers/core/v1"
	policyinformers "k8s.io/client-go/informers/policy/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/disruption"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// DisruptionController keeps the status of PodDisruptionBudgets.
//
//nolint:revive // the name that upstream's tests know
type DisruptionController struct{ remote *remote.Controller }

// NewDisruptionController returns a controller that starts with Run. The informers
// and clients of kinds with a scale do not count: kubesim serves none. Like
// upstream's it panics if it cannot be made: its signature has no error.
func NewDisruptionController(_ context.Context, pods coreinformers.PodInformer, budgets policyinformers.PodDisruptionBudgetInformer,
	_, _, _, _ any, client kubernetes.Interface, _, _, _ any) *DisruptionController {
	c, err := remote.New(client)
	if err != nil {
		panic(err)
	}
	r, err := disruption.New(engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("controllermanager")})
	if err != nil {
		panic(err)
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.PodDisruptionBudgets, budgets.Informer()); err != nil {
		panic(err)
	}
	if err := c.Follow(engine.Pods, pods.Informer()); err != nil {
		panic(err)
	}
	return &DisruptionController{c}
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *DisruptionController) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
