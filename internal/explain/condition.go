package explain

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// conditions tells what the Job has come to.
func (t *teller) conditions(s *jobStory, old, job *batchv1.Job) {
	for _, c := range job.Status.Conditions {
		i := slices.IndexFunc(old.Status.Conditions, func(o batchv1.JobCondition) bool { return o.Type == c.Type })
		if i >= 0 && old.Status.Conditions[i].Status == c.Status {
			continue
		}
		t.condition(s, job, &c)
	}
	if start := job.Status.StartTime; start != nil && job.Spec.ActiveDeadlineSeconds != nil && !start.Equal(old.Status.StartTime) && !ending(job) {
		until := engine.After(start.Time, engine.Seconds(*job.Spec.ActiveDeadlineSeconds))
		t.say(Plain, fmt.Sprintf("activeDeadlineSeconds end at %s", t.since(until)), "", s.opened)
	}
}

func (t *teller) condition(s *jobStory, job *batchv1.Job, c *batchv1.JobCondition) {
	is := c.Status == corev1.ConditionTrue
	switch {
	case c.Type == batchv1.JobSuspended:
		return // its suspension was told
	case !is:
		t.say(Plain, fmt.Sprintf("condition %s is %s: %s", c.Type, c.Status, c.Reason), c.Message)
	case c.Type == batchv1.JobFailureTarget:
		s.target = t.say(Bad, "FailureTarget: "+c.Reason, t.whyEnding(job, c), s.lastStep)
		s.closed, s.closedWhy = s.target, "the Job has failed: "+c.Reason
	case c.Type == batchv1.JobSuccessCriteriaMet:
		s.target = t.say(Good, "SuccessCriteriaMet: "+c.Reason, t.whyEnding(job, c), s.lastStep)
		s.closed, s.closedWhy = s.target, "the Job has succeeded: "+c.Reason
	case c.Type == batchv1.JobFailed:
		why := c.Message
		if s.target != none {
			why = "no Pod of it is left that runs"
		}
		s.target = t.say(Bad, "Failed: "+c.Reason, why, s.target)
	case c.Type == batchv1.JobComplete:
		s.target = t.say(Good, words(" after ", "Complete", jobTook(job)), "", s.target)
	default:
		t.say(Plain, fmt.Sprintf("condition %s: %s", c.Type, c.Reason), c.Message)
	}
}

// jobTook is how long a Job ran.
func jobTook(job *batchv1.Job) string {
	if job.Status.StartTime == nil || job.Status.CompletionTime == nil {
		return ""
	}
	return Offset(job.Status.CompletionTime.Sub(job.Status.StartTime.Time))
}

// whyEnding says which rule or limit has decided on the Job.
func (t *teller) whyEnding(job *batchv1.Job, c *batchv1.JobCondition) string {
	spec := &job.Spec
	switch c.Reason {
	case batchv1.JobReasonBackoffLimitExceeded:
		if spec.Template.Spec.RestartPolicy == corev1.RestartPolicyOnFailure {
			return fmt.Sprintf("its Pods' containers have had %s, backoffLimit is %d", count(int(t.restarts(job)), "restart"), *spec.BackoffLimit)
		}
		if s := t.jobs[job.UID]; s.failures > 0 {
			return fmt.Sprintf("%s, which is more than backoffLimit %d", count(s.failures, "failure"), *spec.BackoffLimit)
		}
	case batchv1.JobReasonDeadlineExceeded:
		if spec.ActiveDeadlineSeconds != nil && job.Status.StartTime != nil {
			return fmt.Sprintf("activeDeadlineSeconds %d have passed since startTime, %s", *spec.ActiveDeadlineSeconds, t.since(job.Status.StartTime.Time))
		}
	case batchv1.JobReasonMaxFailedIndexesExceeded:
		if spec.MaxFailedIndexes != nil && job.Status.FailedIndexes != nil {
			return fmt.Sprintf("failed indexes %s are more than maxFailedIndexes %d", *job.Status.FailedIndexes, *spec.MaxFailedIndexes)
		}
	case batchv1.JobReasonFailedIndexes:
		if job.Status.FailedIndexes != nil {
			return "every index has ended, " + *job.Status.FailedIndexes + " failed"
		}
	case batchv1.JobReasonSuccessPolicy:
		return successText(job, c.Message)
	}
	return c.Message
}

// restarts are those of the Job's Pods that have not ended or are not gone.
func (t *teller) restarts(job *batchv1.Job) int32 {
	var n int32
	for _, obj := range t.last {
		if pod, ok := obj.(*corev1.Pod); ok {
			if ref := owner(pod, "Job"); ref != nil && ref.UID == job.UID {
				for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
					n += s.RestartCount
				}
			}
		}
	}
	return n
}

// successText is the rule of the successPolicy that a condition's message names.
func successText(job *batchv1.Job, message string) string {
	var i int
	if _, err := fmt.Sscanf(message, "Matched rules at index %d", &i); err != nil || job.Spec.SuccessPolicy == nil || i >= len(job.Spec.SuccessPolicy.Rules) {
		return message
	}
	rule := &job.Spec.SuccessPolicy.Rules[i]
	parts := []string{setting("succeededIndexes", rule.SucceededIndexes), setting("succeededCount", rule.SucceededCount)}
	return fmt.Sprintf("successPolicy rule %d is met: %s; completed: %s", i, strings.TrimPrefix(words(", ", parts...), ", "), job.Status.CompletedIndexes)
}
