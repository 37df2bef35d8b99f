package job

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/job/metrics"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// The metrics are upstream's own variables, which are global to the process:
// clusters that share one share them. Nothing here reads a metric.
// Source: k8s.io/kubernetes pkg/controller/job/metrics v1.37.2.

// tale is what a step has to tell the metrics beyond what it writes.
type tale struct {
	// Action is what the step did about the number of Pods.
	Action string
	// Creation is why Pods were missing.
	Creation string
	// PolicyActions are those of spec.podFailurePolicy, a Pod each.
	PolicyActions []batchv1.PodFailurePolicyAction
	// Finished is the condition that ended the Job, if any.
	Finished *batchv1.JobCondition
}

// recordSync counts a step. It took no time: virtual time stands still in it.
//
// Deviation: upstream's duration is that of its API calls.
func recordSync(job *batchv1.Job, action string, err error) {
	result := "success"
	if err != nil {
		result = "error"
	}
	metrics.JobSyncNum.WithLabelValues(completionMode(job), result, action).Inc()
	metrics.JobSyncDurationSeconds.WithLabelValues(completionMode(job), result, action).Observe(0)
}

// creationReason says why Pods may be missing.
func creationReason(job *batchv1.Job, t *tally) string {
	switch {
	case replacesFailedOnly(job) && t.Failed > 0:
		return metrics.PodRecreateFailed
	case t.Failed > 0 || t.Terminating > 0:
		return metrics.PodRecreateTerminatingOrFailed
	}
	return metrics.PodCreateNew
}

// recordCreation counts a Pod that was created, or was not. As upstream does it,
// one that was not counts as succeeded as well, and one that a terminating
// namespace refuses counts as neither.
func recordCreation(reason string, err error) {
	if err != nil {
		if workload.NamespaceEnds(err) {
			return
		}
		metrics.JobPodsCreationTotal.WithLabelValues(reason, metrics.Failed).Inc()
	}
	metrics.JobPodsCreationTotal.WithLabelValues(reason, metrics.Succeeded).Inc()
}

// recordCounted counts the Pods and indexes that status has and stored had not.
func recordCounted(job *batchv1.Job, stored, status *batchv1.JobStatus) {
	succeeded := status.Succeeded - stored.Succeeded
	if isIndexed(job) {
		// Not the difference of the numbers: a Job that is scaled down forgets
		// indexes, and a counter cannot fall.
		completions := int(*job.Spec.Completions)
		grown := func(from, to string) int {
			if from == to {
				return 0
			}
			return parseIndexes(to, completions).total() - parseIndexes(from, completions).total()
		}
		limit := "global"
		if hasBackoffLimitPerIndex(job) {
			limit = "perIndex"
		}
		succeeded = int32(grown(stored.CompletedIndexes, status.CompletedIndexes))
		metrics.JobFinishedIndexesTotal.WithLabelValues(metrics.Succeeded, limit).Add(float64(succeeded))
		if failed := grown(ptr.Deref(stored.FailedIndexes, ""), ptr.Deref(status.FailedIndexes, "")); failed > 0 {
			metrics.JobFinishedIndexesTotal.WithLabelValues(metrics.Failed, limit).Add(float64(failed))
		}
	}
	metrics.JobPodsFinished.WithLabelValues(completionMode(job), metrics.Succeeded).Add(float64(succeeded))
	metrics.JobPodsFinished.WithLabelValues(completionMode(job), metrics.Failed).Add(float64(status.Failed - stored.Failed))
}

func recordPolicyActions(actions []batchv1.PodFailurePolicyAction) {
	for _, action := range actions {
		metrics.PodFailuresHandledByFailurePolicy.WithLabelValues(string(action)).Inc()
	}
}

// recordFinished counts a Job that c has ended.
func recordFinished(job *batchv1.Job, c *batchv1.JobCondition) {
	if c == nil {
		return
	}
	result := metrics.Succeeded
	if c.Type == batchv1.JobFailed {
		result = metrics.Failed
	}
	metrics.JobFinishedNum.WithLabelValues(completionMode(job), result, c.Reason).Inc()
}

// recordJob counts the new Jobs of other controllers.
func recordJob(what watch.EventType, job *batchv1.Job) {
	if what == watch.Added && managedByOther(job) {
		metrics.JobByExternalControllerTotal.WithLabelValues(*job.Spec.ManagedBy).Inc()
	}
}

// recordPod counts the finished Pods that get the tracking finalizer, or end
// with it, and those that lose it.
func recordPod(what watch.EventType, old, pod *corev1.Pod) {
	was := old != nil && podutil.IsPodTerminal(old) && hasFinalizer(old)
	is := what != watch.Deleted && podutil.IsPodTerminal(pod) && hasFinalizer(pod)
	switch {
	case is && !was:
		metrics.TerminatedPodsTrackingFinalizerTotal.WithLabelValues(metrics.Add).Inc()
	case was && !is:
		metrics.TerminatedPodsTrackingFinalizerTotal.WithLabelValues(metrics.Delete).Inc()
	}
}

func completionMode(job *batchv1.Job) string {
	if isIndexed(job) {
		return string(batchv1.IndexedCompletion)
	}
	return string(batchv1.NonIndexedCompletion)
}
