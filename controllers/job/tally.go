package job

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// tally is what the Job's Pods and its status say together, before anything is
// done about it.
type tally struct {
	// Active Pods are neither finished nor being deleted, by name.
	Active []*corev1.Pod
	// Ready and Terminating count Pods, Succeeded and Failed all that ever
	// ended; Succeeded counts indexes if the Job is Indexed.
	Ready, Terminating, Succeeded, Failed int32
	// SucceededBefore are the completed indexes by the status alone.
	SucceededBefore, SucceededIndexes, FailedIndexes orderedIntervals
	// Delayed are the failed Pods, by index, that wait for their replacement.
	Delayed map[int]*corev1.Pod
	// Backoff includes the Pods that ended since the last step.
	Backoff backoffRecord
}

// count tallies the Job's Pods.
func count(job *batchv1.Job, pods []*corev1.Pod, backoff backoffRecord) tally {
	var t tally
	for _, pod := range pods {
		switch {
		case podutil.IsPodTerminal(pod):
		case pod.DeletionTimestamp != nil:
			t.Terminating++
		default:
			t.Active = append(t.Active, pod)
			if podutil.IsPodReady(pod) {
				t.Ready++
			}
		}
	}
	succeeded, failed := newlyFinished(job, pods)
	uncounted := uncountedOf(job)
	t.Succeeded = job.Status.Succeeded + int32(len(succeeded)+len(uncounted.Succeeded))
	t.Failed = job.Status.Failed + int32(countedFailures(job, failed)+len(uncounted.Failed))
	t.Backoff = backoff.next(succeeded, failed)
	if !isIndexed(job) {
		return t
	}
	t.SucceededBefore, t.SucceededIndexes = succeededIndexes(job, pods)
	t.Succeeded = int32(t.SucceededIndexes.total())
	if hasBackoffLimitPerIndex(job) {
		t.FailedIndexes = failedIndexes(job, pods)
		t.Delayed = delayedPods(job, pods, &t)
	}
	return t
}

// newlyFinished returns the finished Pods that the status does not know of.
func newlyFinished(job *batchv1.Job, pods []*corev1.Pod) (succeeded, failed []*corev1.Pod) {
	uncounted := uncountedOf(job)
	for _, pod := range pods {
		if !hasFinalizer(pod) || isIndexed(job) && !validIndex(job, pod) {
			continue
		}
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
			if !slices.Contains(uncounted.Succeeded, pod.UID) {
				succeeded = append(succeeded, pod)
			}
		case podFailed(job, pod):
			if !slices.Contains(uncounted.Failed, pod.UID) {
				failed = append(failed, pod)
			}
		}
	}
	return succeeded, failed
}

func uncountedOf(job *batchv1.Job) batchv1.UncountedTerminatedPods {
	if job.Status.UncountedTerminatedPods == nil {
		return batchv1.UncountedTerminatedPods{}
	}
	return *job.Status.UncountedTerminatedPods
}

func countedFailures(job *batchv1.Job, failed []*corev1.Pod) int {
	n := 0
	for _, pod := range failed {
		if matchPodFailurePolicy(job.Spec.PodFailurePolicy, pod).Counts {
			n++
		}
	}
	return n
}

// uidSet is a set of Pods by UID.
type uidSet map[types.UID]bool
