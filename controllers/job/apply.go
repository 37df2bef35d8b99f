package job

import (
	"context"
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// apply carries p out. It stops at the first error, but for Pods that cannot
// be created: the status is to say that they are missing. The engine calls the
// reconciler again and decide looks afresh, so nothing needs undoing. For the
// metrics refused is an error of the step too.
func (r *Reconciler) apply(ctx context.Context, job *batchv1.Job, m memory, p plan, now time.Time) (wake engine.Wake, refused, err error) {
	for _, pod := range p.Remove {
		if err := r.removePod(ctx, job, pod); err != nil {
			return engine.Wake{}, nil, err
		}
	}
	missing, refused := r.createPods(ctx, job, p.Create, p.Tale.Creation)
	p.Interim.Active -= missing
	p.Final.Active -= missing
	for _, e := range p.Before {
		r.event(ctx, job, e)
	}
	written, err := r.writeStatus(ctx, job, &job.Status, p.Interim)
	if err != nil {
		return engine.Wake{}, nil, err
	}
	recordPolicyActions(p.Tale.PolicyActions)
	// The back-off forgets a failure that changes nothing in the status: that of a Pod
	// which the policy ignores and which is adopted after its end. Source:
	// flushUncountedAndRemoveFinalizers, k8s.io/kubernetes pkg/controller/job v1.37.2.
	if written != job {
		m.Backoff = p.Backoff
	}
	if m.CreationFailures++; missing == 0 {
		m.CreationFailures = 0
	}
	r.Notes[types.NamespacedName{Namespace: job.Namespace, Name: job.Name}] = m
	if err := r.unfinalize(ctx, p.Unfinalize); err != nil {
		return engine.Wake{}, nil, err
	}
	for _, pod := range p.Stop {
		if err := r.pods.Delete(ctx, job, pod); err != nil {
			return engine.Wake{}, nil, err
		}
	}
	if _, err := r.writeStatus(ctx, written, p.Interim, p.Final); err != nil {
		return engine.Wake{}, nil, err
	}
	recordFinished(job, p.Tale.Finished)
	for _, e := range p.After {
		r.event(ctx, written, e)
	}
	wake = engine.Progress(p.WakeAt)
	if endless(job, p.Backoff) {
		wake = engine.Routine(p.WakeAt)
	}
	if missing > 0 {
		wake = wake.Sooner(retryCreation(m.CreationFailures, now))
	}
	return wake, refused, nil
}

// writeStatus writes status unless it is what is stored, and returns the Job
// as it then is.
func (r *Reconciler) writeStatus(ctx context.Context, job *batchv1.Job, stored, status *batchv1.JobStatus) (*batchv1.Job, error) {
	if equality.Semantic.DeepEqual(stored, status) {
		return job, nil
	}
	next := *job
	next.Status = *status
	obj, err := r.api.Update(ctx, r.who, engine.Jobs, "status", &next)
	if err != nil {
		return nil, err
	}
	recordCounted(job, stored, status)
	return obj.(*batchv1.Job), nil
}

// createPods returns how many Pods it could not create, and why one of them was
// refused. A namespace that is being deleted is no refusal, but means that no Pod will
// ever be created. Source: manageJob, k8s.io/kubernetes pkg/controller/job v1.37.2.
func (r *Reconciler) createPods(ctx context.Context, job *batchv1.Job, create []creation, reason string) (missing int32, refused error) {
	if len(create) == 0 {
		return 0, nil
	}
	template := podTemplate(job)
	created, _ := workload.SlowStart(len(create), func(i int) error {
		err := r.pods.Create(ctx, job, newPod(job, template, create[i]))
		recordCreation(reason, err)
		if err != nil && !workload.NamespaceEnds(err) {
			refused = err
		}
		return err
	})
	return int32(len(create) - created), refused
}

// Retry implements engine.Retrier. A Pod that somebody else has just written is tried
// again in a moment: upstream patches Pods, and meets no conflict.
func (r *Reconciler) Retry(n int, err error) time.Duration {
	var status apierrors.APIStatus
	if apierrors.IsConflict(err) && errors.As(err, &status) {
		if about := status.Status().Details; about != nil && about.Kind == string(engine.Pods) {
			return 0
		}
	}
	return apiBackOff(n)
}

// apiBackOff is a second, doubled for each further failure, at most a minute. Source:
// DefaultJobApiBackOff and MaxJobApiBackOff, k8s.io/kubernetes pkg/controller/job
// v1.37.2.
func apiBackOff(n int) time.Duration {
	const start, limit, doubled = time.Second, time.Minute, 6
	if n > doubled {
		return limit
	}
	return start << (n - 1)
}

// retryCreation says when to try again after failures steps in a row that
// could not create a Pod. The first minute of that is work that mode auto moves
// time for; a quota that stays used up must not make it run away.
func retryCreation(failures int, now time.Time) engine.Wake {
	const workMax = 6
	return engine.Attempt(now.Add(apiBackOff(failures)), failures, workMax)
}

// removePod deletes a Pod that is not to count.
func (r *Reconciler) removePod(ctx context.Context, job *batchv1.Job, pod *corev1.Pod) error {
	if err := r.unfinalize(ctx, []*corev1.Pod{pod}); err != nil {
		return err
	}
	return r.pods.Delete(ctx, job, pod)
}

// unfinalize takes the tracking finalizer from the Pods that have it.
func (r *Reconciler) unfinalize(ctx context.Context, pods []*corev1.Pod) error {
	for _, pod := range pods {
		if !hasFinalizer(pod) {
			continue
		}
		next := *pod
		next.Finalizers = withoutFinalizer(pod)
		if _, err := r.api.Update(ctx, r.who, engine.Pods, "", &next); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
