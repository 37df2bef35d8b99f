package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// verdictOn returns the condition that ends the Job before its completions are
// reached, or nil: FailureTarget or SuccessCriteriaMet when it is found now,
// Failed if FailureTarget was found by an earlier step.
//
// The order is upstream's. SuccessCriteriaMet is judged before FailureTarget: a
// Job that met its success policy stays successful even if a later Pod fails.
// Source: syncJob, k8s.io/kubernetes pkg/controller/job v1.37.2; KEP-3998.
func verdictOn(job *batchv1.Job, pods []*corev1.Pod, t *tally, startTime *metav1.Time, now time.Time) *batchv1.JobCondition {
	if c := conditionTrue(job, batchv1.JobSuccessCriteriaMet); c != nil {
		return c.DeepCopy()
	}
	if c := conditionTrue(job, batchv1.JobFailureTarget); c != nil {
		return newCondition(batchv1.JobFailed, corev1.ConditionTrue, c.Reason, c.Message, now)
	}
	if message := failJobMessage(job, pods); message != "" {
		return failure(batchv1.JobReasonPodFailurePolicy, message, now)
	}
	if t.Failed > *job.Spec.BackoffLimit || pastBackoffLimitOnFailure(job, pods) {
		return failure(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit", now)
	}
	if at := deadline(job, startTime); !at.IsZero() && !now.Before(at) {
		return failure(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline", now)
	}
	if isIndexed(job) {
		return verdictOnIndexes(job, t, now)
	}
	return nil
}

func verdictOnIndexes(job *batchv1.Job, t *tally, now time.Time) *batchv1.JobCondition {
	if hasBackoffLimitPerIndex(job) {
		failed := t.FailedIndexes.total()
		if limit := job.Spec.MaxFailedIndexes; limit != nil && failed > int(*limit) {
			return failure(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes", now)
		}
		if failed > 0 && failed+t.SucceededIndexes.total() >= int(*job.Spec.Completions) {
			return failure(batchv1.JobReasonFailedIndexes, "Job has failed indexes", now)
		}
	}
	if message := matchSuccessPolicy(job.Spec.SuccessPolicy, int(*job.Spec.Completions), t.SucceededIndexes); message != "" {
		return newCondition(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue, batchv1.JobReasonSuccessPolicy, message, now)
	}
	return nil
}

// completed reports whether the Job has reached its completions, with active
// Pods left after this step.
func completed(job *batchv1.Job, succeeded int32, active int) bool {
	if active > 0 {
		return false
	}
	if job.Spec.Completions == nil {
		return succeeded > 0
	}
	return succeeded >= *job.Spec.Completions
}

func completionsReached(now time.Time) *batchv1.JobCondition {
	return newCondition(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue, batchv1.JobReasonCompletionsReached,
		"Reached expected number of succeeded pods", now)
}

func failure(reason, message string, now time.Time) *batchv1.JobCondition {
	return newCondition(batchv1.JobFailureTarget, corev1.ConditionTrue, reason, message, now)
}

// deadline returns when activeDeadlineSeconds end; zero is never.
func deadline(job *batchv1.Job, startTime *metav1.Time) time.Time {
	if job.Spec.ActiveDeadlineSeconds == nil || startTime == nil || suspended(job) {
		return time.Time{}
	}
	return engine.After(startTime.Time, engine.Seconds(*job.Spec.ActiveDeadlineSeconds))
}

// pastBackoffLimitOnFailure reports whether the containers of Pods that the
// kubelet restarts in place have been restarted too often.
func pastBackoffLimitOnFailure(job *batchv1.Job, pods []*corev1.Pod) bool {
	if job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	var n int32
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodRunning || pod.Status.Phase == corev1.PodPending {
			n += restarts(pod)
		}
	}
	return n >= max(*job.Spec.BackoffLimit, 1)
}

// finishEvents are the Events of a Job that c has ended.
func finishEvents(job *batchv1.Job, status *batchv1.JobStatus, c *batchv1.JobCondition) []event {
	if c.Type == batchv1.JobFailed {
		return []event{{corev1.EventTypeWarning, c.Reason, c.Message}}
	}
	done := event{corev1.EventTypeNormal, "Completed", "Job completed"}
	if job.Spec.Completions != nil && status.Succeeded > *job.Spec.Completions {
		return []event{{corev1.EventTypeWarning, "TooManySucceededPods", "Too many succeeded pods running after completion count reached"}, done}
	}
	return []event{done}
}

func newCondition(t batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string, now time.Time) *batchv1.JobCondition {
	return &batchv1.JobCondition{
		Type: t, Status: status, Reason: reason, Message: message,
		LastProbeTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
	}
}

// conditionTrue returns the Job's condition of type t if it is True.
func conditionTrue(job *batchv1.Job, t batchv1.JobConditionType) *batchv1.JobCondition {
	if c := findCondition(job.Status.Conditions, t); c != nil && c.Status == corev1.ConditionTrue {
		return c
	}
	return nil
}

func findCondition(conditions []batchv1.JobCondition, t batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range conditions {
		if conditions[i].Type == t {
			return &conditions[i]
		}
	}
	return nil
}

// ensureCondition sets c in the status and reports whether that changed it. A
// False condition is only ever a change of one that is there.
func ensureCondition(status *batchv1.JobStatus, c *batchv1.JobCondition) bool {
	old := findCondition(status.Conditions, c.Type)
	switch {
	case old != nil && old.Status == c.Status && old.Reason == c.Reason && old.Message == c.Message:
		return false
	case old != nil:
		*old = *c
		return true
	case c.Status == corev1.ConditionFalse:
		return false
	}
	status.Conditions = append(status.Conditions, *c)
	return true
}
