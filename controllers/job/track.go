package job

import (
	"cmp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// tracking is the two-phase count of finished Pods.
type tracking struct {
	// Interim is the status to write before any finalizer goes, Final the one
	// after all of Unfinalize have lost theirs.
	Interim, Final *batchv1.JobStatus
	// Unfinalize are the Pods whose finalizer goes.
	Unfinalize []*corev1.Pod
	// Finished is the condition that ends the Job with Final, if any.
	Finished *batchv1.JobCondition
	// PolicyActions are what spec.podFailurePolicy asked for, a Pod each.
	PolicyActions []batchv1.PodFailurePolicyAction
}

// track counts finished Pods into status, which it may change. found is the
// condition that ends the Job, if any. At most uncountedMax of them wait to be
// counted.
// Source: trackJobStatusAndRemoveFinalizers, k8s.io/kubernetes
// pkg/controller/job v1.37.2.
func track(job *batchv1.Job, pods []*corev1.Pod, t *tally, status *batchv1.JobStatus, found *batchv1.JobCondition, uncountedMax int, now time.Time) tracking {
	with := uidSet{}
	for _, pod := range pods {
		if hasFinalizer(pod) {
			with[pod.UID] = true
		}
	}
	countUncounted(status, with)
	c := census{job: job, tally: t, status: status, found: found}
	full := c.take(pods, uncountedMax)
	if isIndexed(job) {
		setIndexes(job, t, status, c.indexes)
	}
	end := interimCondition(status, found, now)
	for _, pod := range c.done {
		delete(with, pod.UID)
	}
	final := status.DeepCopy()
	countUncounted(final, with)
	out := tracking{Interim: status, Final: final, Unfinalize: c.done, PolicyActions: c.actions}
	if !full && finish(final, end) {
		out.Finished = end
	}
	return out
}

// census goes through the Pods and notes those that have come to their end.
type census struct {
	job    *batchv1.Job
	tally  *tally
	status *batchv1.JobStatus
	found  *batchv1.JobCondition
	// done are the Pods whose finalizer may go.
	done []*corev1.Pod
	// indexes have succeeded since the last step.
	indexes []int
	// actions are those of the pod failure policy.
	actions []batchv1.PodFailurePolicyAction
}

// take reports whether the status is full before all Pods are counted.
func (c *census) take(pods []*corev1.Pod, uncountedMax int) (full bool) {
	if isIndexed(c.job) {
		pods = slices.Clone(pods)
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(completionIndex(a), completionIndex(b)) })
	}
	uncounted := c.status.UncountedTerminatedPods
	for _, pod := range pods {
		if !hasFinalizer(pod) || !c.mayGo(pod) {
			continue
		}
		c.done = append(c.done, pod)
		c.note(pod)
		if len(c.indexes)+len(uncounted.Succeeded)+len(uncounted.Failed) >= uncountedMax {
			return true
		}
	}
	return false
}

// mayGo reports whether the Pod's finalizer is of no more use.
// Source: canRemoveFinalizer, k8s.io/kubernetes pkg/controller/job v1.37.2.
func (c *census) mayGo(pod *corev1.Pod) bool {
	if c.job.DeletionTimestamp != nil || c.found != nil || pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	if !podFailed(c.job, pod) {
		return false
	}
	delayed, ok := c.tally.Delayed[completionIndex(pod)]
	return !ok || delayed.UID != pod.UID
}

// note adds the Pod to the uncounted ones, or its index to the new ones.
func (c *census) note(pod *corev1.Pod) {
	uncounted := c.status.UncountedTerminatedPods
	if pod.Status.Phase == corev1.PodSucceeded && !slices.Contains(uncounted.Failed, pod.UID) {
		if isIndexed(c.job) {
			if validIndex(c.job, pod) && !c.tally.SucceededBefore.has(completionIndex(pod)) {
				c.indexes = append(c.indexes, completionIndex(pod))
			}
		} else if !slices.Contains(uncounted.Succeeded, pod.UID) {
			uncounted.Succeeded = append(uncounted.Succeeded, pod.UID)
		}
		return
	}
	// When a Job has failed, every Pod that has not ended has failed with it.
	jobFailed := c.found != nil && c.found.Type != batchv1.JobSuccessCriteriaMet
	if !podFailed(c.job, pod) && !jobFailed {
		return
	}
	if slices.Contains(uncounted.Failed, pod.UID) || isIndexed(c.job) && !validIndex(c.job, pod) {
		return
	}
	v := matchPodFailurePolicy(c.job.Spec.PodFailurePolicy, pod)
	if v.Action != "" {
		c.actions = append(c.actions, v.Action)
	}
	if v.Counts {
		uncounted.Failed = append(uncounted.Failed, pod.UID)
	}
}

func setIndexes(job *batchv1.Job, t *tally, status *batchv1.JobStatus, fresh []int) {
	all := t.SucceededIndexes.withIndexes(fresh)
	status.Succeeded = int32(all.total())
	status.CompletedIndexes = all.String()
	status.FailedIndexes = nil
	if hasBackoffLimitPerIndex(job) {
		text := t.FailedIndexes.String()
		status.FailedIndexes = &text
	}
}

// interimCondition adds what the step has found to the status and returns the
// condition that is to follow once no Pod is left.
func interimCondition(status *batchv1.JobStatus, found *batchv1.JobCondition, now time.Time) *batchv1.JobCondition {
	if found == nil {
		return nil
	}
	switch found.Type {
	case batchv1.JobFailureTarget:
		status.Conditions = append(status.Conditions, *found)
		return newCondition(batchv1.JobFailed, corev1.ConditionTrue, found.Reason, found.Message, now)
	case batchv1.JobSuccessCriteriaMet:
		if c := findCondition(status.Conditions, batchv1.JobSuccessCriteriaMet); c == nil || c.Status != corev1.ConditionTrue {
			status.Conditions = append(status.Conditions, *found)
		}
		return newCondition(batchv1.JobComplete, corev1.ConditionTrue, found.Reason, found.Message, now)
	}
	return found
}

// finish adds the terminal condition, unless Pods are still to be counted or
// to go.
func finish(status *batchv1.JobStatus, end *batchv1.JobCondition) bool {
	uncounted := status.UncountedTerminatedPods
	if end == nil || len(uncounted.Succeeded)+len(uncounted.Failed) > 0 || *status.Terminating > 0 {
		return false
	}
	ensureCondition(status, end)
	if end.Type == batchv1.JobComplete {
		status.CompletionTime = end.LastTransitionTime.DeepCopy()
	}
	return true
}

// countUncounted turns the UIDs of Pods that have lost their finalizer, or are
// gone, into numbers.
func countUncounted(status *batchv1.JobStatus, withFinalizer uidSet) {
	uncounted := status.UncountedTerminatedPods
	keep := func(uids []types.UID) (left []types.UID, counted int32) {
		for _, uid := range uids {
			if withFinalizer[uid] {
				left = append(left, uid)
			}
		}
		return left, int32(len(uids) - len(left))
	}
	var n int32
	uncounted.Succeeded, n = keep(uncounted.Succeeded)
	status.Succeeded += n
	uncounted.Failed, n = keep(uncounted.Failed)
	status.Failed += n
}
