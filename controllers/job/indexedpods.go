package job

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/controller"
)

// unknownIndex is the completion index of a Pod that has none.
const unknownIndex = -1

func isIndexed(job *batchv1.Job) bool {
	return job.Spec.CompletionMode != nil && *job.Spec.CompletionMode == batchv1.IndexedCompletion
}

func hasBackoffLimitPerIndex(job *batchv1.Job) bool { return job.Spec.BackoffLimitPerIndex != nil }

// completionIndex returns the Pod's index by its annotation, or unknownIndex.
func completionIndex(pod *corev1.Pod) int {
	ix, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil || ix < 0 {
		return unknownIndex
	}
	return ix
}

// validIndex reports whether the Pod has an index below spec.completions.
func validIndex(job *batchv1.Job, pod *corev1.Pod) bool {
	ix := completionIndex(pod)
	return ix != unknownIndex && ix < int(*job.Spec.Completions)
}

func indexesOf(pods []*corev1.Pod) []int {
	var out []int
	for _, pod := range pods {
		if ix := completionIndex(pod); ix != unknownIndex {
			out = append(out, ix)
		}
	}
	return out
}

// succeededIndexes returns the indexes that the status has as completed, and
// those together with what has succeeded since.
func succeededIndexes(job *batchv1.Job, pods []*corev1.Pod) (before, after orderedIntervals) {
	before = parseIndexes(job.Status.CompletedIndexes, int(*job.Spec.Completions))
	var fresh []int
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodSucceeded && validIndex(job, pod) && hasFinalizer(pod) {
			fresh = append(fresh, completionIndex(pod))
		}
	}
	return before, before.withIndexes(fresh)
}

// failedIndexes returns the indexes that have failed for good, by the status
// and since.
func failedIndexes(job *batchv1.Job, pods []*corev1.Pod) orderedIntervals {
	var before orderedIntervals
	if job.Status.FailedIndexes != nil {
		before = parseIndexes(*job.Status.FailedIndexes, int(*job.Spec.Completions))
	}
	var fresh []int
	for _, pod := range pods {
		if validIndex(job, pod) && hasFinalizer(pod) && indexFailed(job, pod) {
			fresh = append(fresh, completionIndex(pod))
		}
	}
	return before.withIndexes(fresh)
}

// indexFailed reports whether the end of pod is the end of its index.
func indexFailed(job *batchv1.Job, pod *corev1.Pod) bool {
	if !podFailed(job, pod) {
		return false
	}
	verdict := matchPodFailurePolicy(job.Spec.PodFailurePolicy, pod)
	if verdict.Action == batchv1.PodFailurePolicyActionFailIndex {
		return true
	}
	return verdict.Counts && indexFailureCount(pod) >= *job.Spec.BackoffLimitPerIndex
}

// delayedPods returns, by index, the failed Pod that must keep its finalizer
// until its replacement exists, because the replacement takes over its failure
// counts. Source: getPodsWithDelayedDeletionPerIndex, k8s.io/kubernetes
// pkg/controller/job v1.37.2.
func delayedPods(job *batchv1.Job, pods []*corev1.Pod, t *tally) map[int]*corev1.Pod {
	settled := t.SucceededIndexes.merge(t.FailedIndexes).withIndexes(indexesOf(t.Active))
	out := map[int]*corev1.Pod{}
	for _, pod := range pods {
		if !hasFinalizer(pod) || !validIndex(job, pod) || !podFailed(job, pod) || settled.has(completionIndex(pod)) {
			continue
		}
		last, ok := out[completionIndex(pod)]
		if !ok || absoluteFailureCount(last) <= absoluteFailureCount(pod) && !finishedAt(pod).Before(finishedAt(last)) {
			out[completionIndex(pod)] = pod
		}
	}
	return out
}

// pendingIndexes returns the first count indexes that have neither an end nor
// a Pod.
func pendingIndexes(job *batchv1.Job, pods []*corev1.Pod, t *tally, count int) []int {
	taken := t.SucceededIndexes.withIndexes(indexesOf(t.Active)).merge(t.FailedIndexes)
	if replacesFailedOnly(job) {
		taken = taken.withIndexes(indexesOf(terminatingPods(pods)))
	}
	var out []int
	candidate := 0
	for _, iv := range append(slices.Clip(taken), interval{int(*job.Spec.Completions), math.MaxInt - 1}) {
		for ; candidate < min(iv.First, int(*job.Spec.Completions)) && len(out) < count; candidate++ {
			out = append(out, candidate)
		}
		candidate = max(candidate, iv.Last+1)
	}
	return out
}

// repeatedIndexes splits active Pods into those that an Indexed Job must not
// have, and the rest: of several with one index the last in order of removal
// stays; those without an index, or with one out of range, go.
// Source: appendDuplicatedIndexPodsForRemoval, k8s.io/kubernetes
// pkg/controller/job v1.37.2.
func repeatedIndexes(job *batchv1.Job, active []*corev1.Pod) (remove, left []*corev1.Pod) {
	byIndex := slices.Clone(active)
	slices.SortStableFunc(byIndex, func(a, b *corev1.Pod) int { return cmp.Compare(completionIndex(a), completionIndex(b)) })
	var repeated []*corev1.Pod
	for from := 0; from < len(byIndex); {
		ix, to := completionIndex(byIndex[from]), from+1
		if ix >= int(*job.Spec.Completions) {
			// They go before the repeated ones of the last index, as upstream's.
			remove = append(remove, byIndex[from:]...)
			break
		}
		remove = append(remove, repeated...)
		for to < len(byIndex) && completionIndex(byIndex[to]) == ix {
			to++
		}
		same := byIndex[from:to]
		from = to
		switch {
		case ix == unknownIndex:
			repeated = same
		default:
			sort.Stable(controller.ActivePods(same))
			repeated = same[:len(same)-1]
			left = append(left, same[len(same)-1])
		}
	}
	return append(remove, repeated...), left
}

// replacementCounts returns the values of the failure-count annotations of a
// new Pod that replaces one of its index, nil if there was none.
func replacementCounts(job *batchv1.Job, replaced *corev1.Pod) (failures, ignored int32) {
	if replaced == nil {
		return 0, 0
	}
	failures, ignored = indexFailureCount(replaced), ignoredFailureCount(replaced)
	if matchPodFailurePolicy(job.Spec.PodFailurePolicy, replaced).Counts {
		return failures + 1, ignored
	}
	return failures, ignored + 1
}

func indexFailureCount(pod *corev1.Pod) int32 {
	return countOf(pod.Annotations[batchv1.JobIndexFailureCountAnnotation])
}

func ignoredFailureCount(pod *corev1.Pod) int32 {
	return countOf(pod.Annotations[batchv1.JobIndexIgnoredFailureCountAnnotation])
}

func absoluteFailureCount(pod *corev1.Pod) int32 {
	return indexFailureCount(pod) + ignoredFailureCount(pod)
}

// countOf reads an annotation that users may have spoiled; then it is 0.
func countOf(text string) int32 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}
