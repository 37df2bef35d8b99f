package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// backoffRecord says how a Job's Pods have been failing lately.
type backoffRecord struct {
	// Failures counts the failed Pods since the last one that succeeded.
	Failures int32
	// LastFailure is when the last of them finished.
	LastFailure time.Time
}

// next returns the record after more Pods have finished. Of failures that are
// counted late, as those of Pods that are adopted, the back-off begins when they
// happened, even if that is before the last failure of the record.
// Source: newBackoffRecord, k8s.io/kubernetes pkg/controller/job v1.37.2.
func (b backoffRecord) next(succeeded, failed []*corev1.Pod) backoffRecord {
	var lastSuccess time.Time
	for _, pod := range succeeded {
		if t := finishedAt(pod); t.After(lastSuccess) {
			lastSuccess = t
		}
	}
	if len(succeeded) > 0 {
		b = backoffRecord{}
	}
	var lastFailure time.Time
	for _, pod := range failed {
		t := finishedAt(pod)
		if len(succeeded) > 0 && !t.After(lastSuccess) {
			continue
		}
		b.Failures++
		if t.After(lastFailure) {
			lastFailure = t
		}
	}
	if !lastFailure.IsZero() {
		b.LastFailure = lastFailure
	}
	return b
}

// rebuildBackoff makes up for a record that a restart has lost.
//
// Deviation: upstream's controller forgets all failures when it restarts.
func rebuildBackoff(job *batchv1.Job, counted []*corev1.Pod) backoffRecord {
	var succeeded, failed []*corev1.Pod
	for _, pod := range counted {
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
			succeeded = append(succeeded, pod)
		case podFailed(job, pod):
			failed = append(failed, pod)
		}
	}
	b := backoffRecord{}.next(succeeded, failed)
	if job.Status.Succeeded == 0 && b.Failures > 0 {
		b.Failures = max(b.Failures, job.Status.Failed)
	}
	return b
}

// until returns when the next Pod may be created; zero is at once.
func (b backoffRecord) until(l Limits, now time.Time) time.Time {
	if b.Failures == 0 || b.LastFailure.IsZero() {
		return time.Time{}
	}
	at := b.LastFailure.Add(l.podBackoff(b.Failures))
	if !at.After(now) {
		return time.Time{}
	}
	return at
}

// endlessMin is for how many failures in a row auto mode advances the clock at least.
const endlessMin = 100

// endless reports whether a Job has failed so often in a row that auto mode does not advance
// the clock for its next try. Nothing under way ends such a Job: its limit is higher, or the
// failures are ignored. A Job with a deadline, or with a limit of its indexes within reach,
// goes on to its end.
func endless(job *batchv1.Job, b backoffRecord) bool {
	if b.Failures <= endlessMin || job.Spec.ActiveDeadlineSeconds != nil {
		return false
	}
	limit := job.Spec.BackoffLimitPerIndex
	return limit == nil || *limit > endlessMin || job.Spec.PodFailurePolicy != nil
}

// indexUntil returns when the index of the failed Pod may be tried again; zero
// is at once.
func indexUntil(failed *corev1.Pod, l Limits, now time.Time) time.Time {
	if failed == nil {
		return time.Time{}
	}
	return backoffRecord{Failures: absoluteFailureCount(failed) + 1, LastFailure: finishedAt(failed)}.until(l, now)
}

// NextPod returns, of a Job whose Pods have failed failures times in a row, the last
// of them pod, how long it backs off and when it may create the next Pod.
func NextPod(pod *corev1.Pod, failures int32) (wait time.Duration, at time.Time) {
	wait = DefaultLimits().podBackoff(failures)
	return wait, finishedAt(pod).Add(wait)
}

// NextPodOfIndex is NextPod for the index of a failed Pod of a Job with
// backoffLimitPerIndex. It is not ok if that was the end of the index.
func NextPodOfIndex(job *batchv1.Job, failed *corev1.Pod) (failures int32, wait time.Duration, at time.Time, ok bool) {
	if !validIndex(job, failed) || indexFailed(job, failed) {
		return 0, 0, time.Time{}, false
	}
	failures = absoluteFailureCount(failed) + 1
	wait, at = NextPod(failed, failures)
	return failures, wait, at, true
}
