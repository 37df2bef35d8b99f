// Package job stands in for upstream's pkg/controller/job: its Controller is
// ours.
package job

import (
	"context"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	batchinformers "k8s.io/client-go/informers/batch/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	schedulinginformers "k8s.io/client-go/informers/scheduling/v1beta1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/features"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/job"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// What upstream's tests set for a while. NewController reads it.
//
//nolint:gochecknoglobals // upstream has them, and its tests set them
var (
	DefaultJobPodFailureBackOff = job.DefaultLimits().PodBackoffStart
	MaxJobPodFailureBackOff     = job.DefaultLimits().PodBackoffMax
	SyncJobBatchPeriod          = job.DefaultLimits().BatchPeriod
	MaxUncountedPods            = job.DefaultLimits().UncountedMax
	MaxPodCreateDeletePerSync   = job.DefaultLimits().PodsPerStepMax
)

// Controller runs Jobs.
type Controller struct{ remote *remote.Controller }

// NewController returns a Controller that starts with Run. The informers of gang
// scheduling must be nil: kubesim has none.
func NewController(_ context.Context, client kubernetes.Interface, pods coreinformers.PodInformer, jobs batchinformers.JobInformer,
	_ schedulinginformers.WorkloadInformer, _ schedulinginformers.PodGroupInformer) (*Controller, error) {
	c, err := remote.New(client)
	if err != nil {
		return nil, err
	}
	r, err := job.New(job.Config{
		Host: engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("job-controller")},
		Gates: job.Gates{
			MutableSchedulingDirectivesForSuspendedJobs: utilfeature.DefaultFeatureGate.Enabled(features.MutableSchedulingDirectivesForSuspendedJobs),
		},
		Limits: job.Limits{
			PodBackoffStart: DefaultJobPodFailureBackOff, PodBackoffMax: MaxJobPodFailureBackOff, BatchPeriod: SyncJobBatchPeriod,
			UncountedMax: MaxUncountedPods, PodsPerStepMax: MaxPodCreateDeletePerSync,
		},
	})
	if err != nil {
		return nil, err
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.Pods, pods.Informer()); err != nil {
		return nil, err
	}
	return &Controller{c}, c.Follow(engine.Jobs, jobs.Informer())
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *Controller) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
