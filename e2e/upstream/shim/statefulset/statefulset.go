// Package statefulset stands in for upstream's pkg/controller/statefulset: its controller
// is ours.
package statefulset

import (
	"context"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/features"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/statefulset"
	"github.com/kubesim-dev/kubesim/controllers/workload"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// StatefulSetController runs StatefulSets.
//
//nolint:revive // the name that upstream's tests know
type StatefulSetController struct{ remote *remote.Controller }

// NewStatefulSetController returns a controller that starts with Run. Like upstream's it
// panics if it cannot be made: its signature has no error.
func NewStatefulSetController(_ context.Context, pods coreinformers.PodInformer, sets appsinformers.StatefulSetInformer,
	claims coreinformers.PersistentVolumeClaimInformer, revisions appsinformers.ControllerRevisionInformer, client kubernetes.Interface) *StatefulSetController {
	c, err := remote.New(client)
	if err != nil {
		panic(err)
	}
	enabled := utilfeature.DefaultFeatureGate.Enabled
	r, err := statefulset.New(statefulset.Config{
		Host: engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("statefulset-controller")},
		Gates: workload.Gates{
			MaxUnavailableStatefulSet:             enabled(features.MaxUnavailableStatefulSet),
			StatefulSetRecreateStrategy:           enabled(features.StatefulSetRecreateStrategy),
			StatefulSetSemanticRevisionComparison: enabled(features.StatefulSetSemanticRevisionComparison),
		},
	})
	if err != nil {
		panic(err)
	}
	c.Engine().Register(r)
	for _, followed := range []error{
		c.Follow(engine.Pods, pods.Informer()), c.Follow(engine.StatefulSets, sets.Informer()),
		c.Follow(engine.PersistentVolumeClaims, claims.Informer()), c.Follow(engine.ControllerRevisions, revisions.Informer()),
	} {
		if followed != nil {
			panic(followed)
		}
	}
	return &StatefulSetController{c}
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *StatefulSetController) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
