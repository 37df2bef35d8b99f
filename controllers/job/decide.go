package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/job/metrics"
)

// plan is what one step does to a Job, in the order in which it is done.
type plan struct {
	// Remove are Pods that the Job has too many of. They lose their finalizer
	// first, so that they do not count as failed.
	Remove []*corev1.Pod
	// Create are the new Pods.
	Create []creation
	// Before are the Events that come before the status.
	Before []event
	// Interim, Unfinalize and Final are the two-phase count, see track.
	Interim    *batchv1.JobStatus
	Unfinalize []*corev1.Pod
	// Stop are the running Pods of a Job that has come to its end.
	Stop  []*corev1.Pod
	Final *batchv1.JobStatus
	// After are the Events of a Job that Final has finished.
	After []event
	// Backoff is the record to remember.
	Backoff backoffRecord
	// WakeAt is when the Job must be looked at again; zero is not before
	// something changes.
	WakeAt time.Time
	// Tale is what the step has to tell upstream's metrics.
	Tale tale
}

// decide returns what to do about an unfinished Job with these Pods, sorted by
// name. It reads nothing but its arguments and changes none of them.
func decide(job *batchv1.Job, pods []*corev1.Pod, backoff backoffRecord, rules rules, now time.Time) plan {
	t := count(job, pods, backoff)
	status := job.Status.DeepCopy()
	if status.UncountedTerminatedPods == nil {
		status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	if status.StartTime == nil && !suspended(job) {
		status.StartTime = instant(now)
	}
	p := plan{Backoff: t.Backoff, Tale: tale{Action: metrics.JobSyncActionReconciling, Creation: creationReason(job, &t)}}
	found := verdictOn(job, pods, &t, status.StartTime, now)
	if found != nil {
		p.Stop = t.Active
		setCounts(status, &t, -len(p.Stop), p.Stop)
	} else {
		found = p.staff(job, pods, &t, status, rules, now)
	}
	tr := track(job, pods, &t, status, found, rules.UncountedMax, now)
	p.Interim, p.Unfinalize, p.Final = tr.Interim, tr.Unfinalize, tr.Final
	p.Tale.PolicyActions, p.Tale.Finished = tr.PolicyActions, tr.Finished
	if tr.Finished != nil {
		p.After = finishEvents(job, p.Final, tr.Finished)
		p.WakeAt = time.Time{}
	}
	return p
}

// staff adds the Pods to create or delete to the plan, and returns the
// condition that ends the Job if it has reached its completions.
func (p *plan) staff(job *batchv1.Job, pods []*corev1.Pod, t *tally, status *batchv1.JobStatus, rules rules, now time.Time) *batchv1.JobCondition {
	managed := job.DeletionTimestamp == nil
	if managed {
		s := staff(job, pods, t, rules.Limits, now)
		p.Remove, p.Create, p.WakeAt = s.Remove, s.Create, s.WakeAt
		p.Tale.Action = s.Action
	}
	setCounts(status, t, len(p.Create)-len(p.Remove), p.Remove)
	if completed(job, t.Succeeded, int(status.Active)) {
		return completionsReached(now)
	}
	if managed {
		p.suspend(job, status, rules, now)
	}
	p.WakeAt = earlier(p.WakeAt, deadline(job, status.StartTime))
	return nil
}

// suspend keeps the condition Suspended in step with the spec. A Job that is
// resumed starts over: activeDeadlineSeconds are those of being active without
// a break.
func (p *plan) suspend(job *batchv1.Job, status *batchv1.JobStatus, rules rules, now time.Time) {
	if suspended(job) {
		c := newCondition(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended", now)
		if ensureCondition(status, c) {
			p.Before = []event{{corev1.EventTypeNormal, "Suspended", "Job suspended"}}
			if rules.MutableSchedulingDirectivesForSuspendedJobs {
				status.StartTime = nil
			}
		}
		return
	}
	c := newCondition(batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed", now)
	if ensureCondition(status, c) {
		p.Before = []event{{corev1.EventTypeNormal, "Resumed", "Job resumed"}}
		status.StartTime = instant(now)
	}
}

// setCounts writes how many Pods are active, ready and terminating once change
// more of them are active and those in deleted are being deleted.
func setCounts(status *batchv1.JobStatus, t *tally, change int, deleted []*corev1.Pod) {
	readyCount, terminating := t.Ready, t.Terminating+int32(len(deleted))
	for _, pod := range deleted {
		if podutil.IsPodReady(pod) {
			readyCount--
		}
	}
	status.Active = int32(len(t.Active) + change)
	status.Ready, status.Terminating = &readyCount, &terminating
}

func instant(t time.Time) *metav1.Time {
	at := metav1.NewTime(t)
	return &at
}
