// Package cronjob stands in for upstream's pkg/controller/cronjob: its
// Controller is ours.
package cronjob

import (
	"context"

	batchinformers "k8s.io/client-go/informers/batch/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesim-dev/kubesim/controllers/cronjob"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/e2e/upstream/remote"
)

// ControllerV2 runs CronJobs.
type ControllerV2 struct{ remote *remote.Controller }

// NewControllerV2 returns a ControllerV2 that starts with Run.
func NewControllerV2(_ context.Context, jobs batchinformers.JobInformer, cronJobs batchinformers.CronJobInformer,
	client kubernetes.Interface) (*ControllerV2, error) {
	c, err := remote.New(client)
	if err != nil {
		return nil, err
	}
	r, err := cronjob.New(engine.Host{View: c.Engine().View(), API: c.API(), Recorder: c.Recorder("cronjob-controller")})
	if err != nil {
		return nil, err
	}
	c.Engine().Register(r)
	if err := c.Follow(engine.Jobs, jobs.Informer()); err != nil {
		return nil, err
	}
	return &ControllerV2{c}, c.Follow(engine.CronJobs, cronJobs.Informer())
}

// Run runs until ctx ends. There is one worker, whatever is asked for.
func (c *ControllerV2) Run(ctx context.Context, _ int) { c.remote.Run(ctx) }
