// Package replicaset stands in for upstream's pkg/controller/replicaset: its controller is
// ours.
package replicaset

import (
	"context"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/features"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/replicaset"
	"github.com/kubesim-dev/kubesim/controllers/workload"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// BurstReplicas is what upstream's tests pass on; our controller has the same.
const BurstReplicas = 500

// ReplicaSetController runs ReplicaSets.
//
//nolint:revive // the name that upstream's tests know
type ReplicaSetController struct{ remote *remote.Controller }

// NewReplicaSetController returns a controller that starts with Run. Like upstream's it
// panics if it cannot be made: its signature has no error.
func NewReplicaSetController(_ context.Context, sets appsinformers.ReplicaSetInformer, pods coreinformers.PodInformer, client kubernetes.Interface, _ int) *ReplicaSetController {
	c, err := remote.New(client)
	if err != nil {
		panic(err)
	}
	r, err := replicaset.New(replicaset.Config{
		Host: engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("replicaset-controller")},
		Gates: workload.Gates{
			DeploymentReplicaSetTerminatingReplicas: utilfeature.DefaultFeatureGate.Enabled(features.DeploymentReplicaSetTerminatingReplicas),
		},
	})
	if err != nil {
		panic(err)
	}
	c.Engine().Register(r)
	for _, followed := range []error{c.Follow(engine.ReplicaSets, sets.Informer()), c.Follow(engine.Pods, pods.Informer())} {
		if followed != nil {
			panic(followed)
		}
	}
	return &ReplicaSetController{c}
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *ReplicaSetController) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
