package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/controller/job/metrics"
)

// creation is one Pod to create.
type creation struct {
	// Index is the completion index, or unknownIndex.
	Index int
	// Failures and Ignored are the index's failures so far, for the
	// annotations that backoffLimitPerIndex needs.
	Failures, Ignored int32
}

// staffing is how the number of running Pods must change.
type staffing struct {
	// Remove are active Pods to delete, in this order.
	Remove []*corev1.Pod
	// Create are the Pods to create, in this order.
	Create []creation
	// WakeAt is when a back-off ends that now keeps Pods from being created.
	WakeAt time.Time
	// Action says all that in the word of upstream's metrics.
	Action string
}

// staff decides which Pods to delete or create, never both in one step.
func staff(job *batchv1.Job, pods []*corev1.Pod, t *tally, l Limits, now time.Time) staffing {
	if suspended(job) {
		return staffing{Remove: surplus(job, t.Active, len(t.Active)), Action: metrics.JobSyncActionPodsDeleted}
	}
	active, want := len(t.Active), wantActive(job, t)
	if remove := surplus(job, t.Active, max(active-want, 0)); len(remove) > 0 {
		return staffing{Remove: remove[:min(len(remove), l.PodsPerStepMax)], Action: metrics.JobSyncActionPodsDeleted}
	}
	missing := want - active
	if replacesFailedOnly(job) {
		missing -= int(t.Terminating)
	}
	if missing <= 0 {
		return staffing{Action: metrics.JobSyncActionTracking}
	}
	s := hire(job, pods, t, min(missing, l.PodsPerStepMax), l, now)
	s.Action = metrics.JobSyncActionPodsCreated
	if soonest := now.Add(l.BatchPeriod); !s.WakeAt.IsZero() && s.WakeAt.Before(soonest) {
		s.WakeAt = soonest // upstream's enqueueSyncJobWithDelay
	}
	return s
}

// wantActive returns how many Pods should run.
func wantActive(job *batchv1.Job, t *tally) int {
	parallelism := int(*job.Spec.Parallelism)
	if job.Spec.Completions == nil {
		if t.Succeeded > 0 {
			return len(t.Active)
		}
		return parallelism
	}
	return max(0, min(int(*job.Spec.Completions-t.Succeeded), parallelism))
}

// hire returns the Pods to create, or when that may be.
func hire(job *batchv1.Job, pods []*corev1.Pod, t *tally, missing int, l Limits, now time.Time) staffing {
	if !hasBackoffLimitPerIndex(job) {
		if at := t.Backoff.until(l, now); !at.IsZero() {
			return staffing{WakeAt: at}
		}
	}
	if !isIndexed(job) {
		out := make([]creation, missing)
		for i := range out {
			out[i].Index = unknownIndex
		}
		return staffing{Create: out}
	}
	var s staffing
	for _, ix := range pendingIndexes(job, pods, t, missing) {
		replaced := t.Delayed[ix]
		if at := indexUntil(replaced, l, now); !at.IsZero() {
			s.WakeAt = earlier(s.WakeAt, at)
			continue
		}
		failures, ignored := replacementCounts(job, replaced)
		s.Create = append(s.Create, creation{Index: ix, Failures: failures, Ignored: ignored})
	}
	return s
}

// earlier returns the earlier instant; a zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
