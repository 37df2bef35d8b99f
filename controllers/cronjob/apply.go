package cronjob

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/cronjob/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// apply carries p out. The status is written even if no Job could be started;
// after an error the engine calls the reconciler again and decide looks afresh.
func (r *Reconciler) apply(ctx context.Context, cj *batchv1.CronJob, p plan) error {
	events := p.Events
	for _, reap := range p.Reap {
		if err := r.delete(ctx, cj, reap.Job); err != nil { // its Event says why
			events = slices.Concat(reap.Stays, events)
		}
	}
	for _, e := range events {
		r.event(ctx, cj, e)
	}
	status := p.Status
	var failed error
	if p.Start != nil {
		failed = r.start(ctx, cj, p, &status)
	}
	if equality.Semantic.DeepEqual(&cj.Status, &status) {
		return failed
	}
	next := *cj
	next.Status = status
	if _, err := r.api.Update(ctx, r.who, engine.CronJobs, "status", &next); err != nil {
		return err
	}
	return failed
}

// start replaces Jobs and creates the new one, and writes both into status.
func (r *Reconciler) start(ctx context.Context, cj *batchv1.CronJob, p plan, status *batchv1.CronJobStatus) error {
	for _, job := range p.Replace {
		if err := r.delete(ctx, cj, job); err != nil {
			return fmt.Errorf("replace Job %s/%s: %w", job.Namespace, job.Name, err)
		}
		status.Active = slices.DeleteFunc(status.Active, refersTo(job.UID))
	}
	job, err := r.create(ctx, cj, p.Start, p.At)
	if job == nil {
		return err
	}
	status.Active = append(status.Active, *engine.Reference(job, "batch/v1", "Job"))
	status.LastScheduleTime = &metav1.Time{Time: p.At}
	return nil
}

// create returns the Job of the scheduled time at that was created, or an earlier one of this name that
// the CronJob controls: its status was not written then. It returns none in a
// namespace that is being deleted, or if the name is taken by another's Job.
//
// Deviation: where the name is taken, upstream forgets the CronJob until its
// informers resync, 12 to 24 hours later; here it goes on with its next time.
func (r *Reconciler) create(ctx context.Context, cj *batchv1.CronJob, job *batchv1.Job, at time.Time) (*batchv1.Job, error) {
	obj, err := r.api.Create(ctx, r.who, engine.Jobs, job)
	switch {
	case err == nil:
		metrics.CronJobCreationSkew.Observe(obj.GetCreationTimestamp().Sub(at).Seconds())
		r.event(ctx, cj, event{corev1.EventTypeNormal, "SuccessfulCreate", "Created job " + obj.GetName()})
		return obj.(*batchv1.Job), nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil, nil
	case !apierrors.IsAlreadyExists(err):
		r.event(ctx, cj, event{corev1.EventTypeWarning, "FailedCreate", "Error creating job: " + err.Error()})
		return nil, err
	}
	there, found := engine.Get[*batchv1.Job](r.view, engine.Jobs, job.Namespace, job.Name)
	if !found {
		return nil, err // it was created just now, or is just gone: look again
	}
	if !metav1.IsControlledBy(there, cj) {
		return nil, nil
	}
	return there, nil
}

// delete removes a Job and, by the garbage collector, its Pods.
func (r *Reconciler) delete(ctx context.Context, cj *batchv1.CronJob, job *batchv1.Job) error {
	background := metav1.DeletePropagationBackground
	key := types.NamespacedName{Namespace: job.Namespace, Name: job.Name}
	if err := r.api.Delete(ctx, r.who, engine.Jobs, key, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		r.event(ctx, cj, event{corev1.EventTypeWarning, "FailedDelete", "Deleted job: " + err.Error()})
		return err
	}
	r.event(ctx, cj, event{corev1.EventTypeNormal, "SuccessfulDelete", "Deleted job " + job.Name})
	return nil
}

func (r *Reconciler) event(ctx context.Context, cj *batchv1.CronJob, e event) {
	r.recorder.Event(ctx, engine.Reference(cj, "batch/v1", "CronJob"), e.Type, e.Reason, "%s", e.Message)
}
