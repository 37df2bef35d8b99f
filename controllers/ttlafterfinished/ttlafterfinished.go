// Package ttlafterfinished deletes finished Jobs once their
// ttlSecondsAfterFinished have passed.
//
// Invariant: only a finished Job is deleted, at its end plus its TTL, with all
// of its Pods (foreground).
//
// It follows k8s.io/kubernetes pkg/controller/ttlafterfinished v1.37.2.
package ttlafterfinished

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/ttlafterfinished/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "ttlafterfinished"

// Reconciler reconciles finished Jobs.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	metrics.Register()
	host.View.Track(engine.Jobs)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("ttl-after-finished-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	job, ok := c.Object.(*batchv1.Job)
	if !ok || c.Type == watch.Deleted {
		return nil
	}
	old, _ := c.Old.(*batchv1.Job)
	if expiry(job).IsZero() && (old == nil || expiry(old).IsZero()) {
		return nil
	}
	return []engine.Key{{Controller: Name, Namespace: job.Namespace, Name: job.Name}}
}

// plan is whether to delete the Job, or when to look again.
type plan struct {
	Delete bool
	// WakeAt is zero if nothing is to happen until the Job changes.
	WakeAt time.Time
}

// decide returns what to do about job at now.
func decide(job *batchv1.Job, now time.Time) plan {
	at := expiry(job)
	switch {
	case at.IsZero() || job.DeletionTimestamp != nil:
		return plan{}
	case now.Before(at):
		return plan{WakeAt: at}
	}
	return plan{Delete: true}
}

// expiry returns when the Job's TTL ends, or zero if it has none or has not
// finished.
func expiry(job *batchv1.Job) time.Time {
	if job.Spec.TTLSecondsAfterFinished == nil {
		return time.Time{}
	}
	for _, c := range job.Status.Conditions {
		finished := c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed
		if finished && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return engine.After(c.LastTransitionTime.Time, engine.Seconds(int64(*job.Spec.TTLSecondsAfterFinished)))
		}
	}
	return time.Time{}
}

// Reconcile implements engine.Reconciler.
//
// The wake is recurring, not work: the Job is done, and mode auto must not jump
// an hour ahead, past everything that a user still wants to look at, only to
// clean up after it. A TTL of zero needs no wake.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	job, ok := engine.Get[*batchv1.Job](r.view, engine.Jobs, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(job, now)
	err := r.apply(ctx, job, p)
	if p.Delete && err == nil {
		metrics.JobDeletionDurationSeconds.Observe(now.Sub(expiry(job)).Seconds())
	}
	return engine.Cleanup(p.WakeAt), err
}

func (r *Reconciler) apply(ctx context.Context, job *batchv1.Job, p plan) error {
	if !p.Delete {
		return nil
	}
	foreground := metav1.DeletePropagationForeground
	err := r.api.Delete(ctx, r.who, engine.Jobs, types.NamespacedName{Namespace: job.Namespace, Name: job.Name}, metav1.DeleteOptions{
		PropagationPolicy: &foreground,
		Preconditions:     &metav1.Preconditions{UID: &job.UID},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
