// Package deployment stands in for upstream's pkg/controller/deployment: its controller is
// ours.
package deployment

import (
	"context"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/features"

	"github.com/kubesim-dev/kubesim/controllers/deployment"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// DeploymentController runs Deployments.
//
//nolint:revive // the name that upstream's tests know
type DeploymentController struct{ remote *remote.Controller }

// NewDeploymentController returns a controller that starts with Run.
func NewDeploymentController(_ context.Context, deployments appsinformers.DeploymentInformer, sets appsinformers.ReplicaSetInformer,
	pods coreinformers.PodInformer, client kubernetes.Interface) (*DeploymentController, error) {
	c, err := remote.New(client)
	if err != nil {
		return nil, err
	}
	r, err := deployment.New(deployment.Config{
		Host: engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("deployment-controller")},
		Gates: workload.Gates{
			DeploymentReplicaSetTerminatingReplicas: utilfeature.DefaultFeatureGate.Enabled(features.DeploymentReplicaSetTerminatingReplicas),
		},
	})
	if err != nil {
		return nil, err
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.Deployments, deployments.Informer()); err != nil {
		return nil, err
	}
	if err := c.Follow(engine.ReplicaSets, sets.Informer()); err != nil {
		return nil, err
	}
	return &DeploymentController{c}, c.Follow(engine.Pods, pods.Informer())
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *DeploymentController) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
