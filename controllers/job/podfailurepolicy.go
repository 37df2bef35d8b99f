package job

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// verdict is what spec.podFailurePolicy says of a failed Pod.
type verdict struct {
	// Action is that of the first rule that matches, else empty.
	Action batchv1.PodFailurePolicyAction
	// Counts: the failure counts towards the back-off limits.
	Counts bool
	// Message is why the Job fails, if Action is FailJob.
	Message string
}

// matchPodFailurePolicy judges one failed Pod. A rule with an action that this
// release does not know is passed over.
// Source: matchPodFailurePolicy, k8s.io/kubernetes pkg/controller/job v1.37.2.
func matchPodFailurePolicy(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) verdict {
	i, what := MatchingRule(policy, pod)
	if i < 0 {
		return verdict{Counts: true}
	}
	action := policy.Rules[i].Action
	switch action {
	case batchv1.PodFailurePolicyActionIgnore:
		return verdict{Action: action}
	case batchv1.PodFailurePolicyActionFailJob:
		return verdict{Action: action, Counts: true, Message: fmt.Sprintf("%s matching %v rule at index %d", what, action, i)}
	}
	return verdict{Action: action, Counts: true}
}

// MatchingRule returns the index of the first rule of a policy, which may be nil, that
// decides on a failed Pod, and what of the Pod matches, in words; -1 if none does.
func MatchingRule(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) (index int, what string) {
	if policy == nil {
		return -1, ""
	}
	for i := range policy.Rules {
		switch rule := &policy.Rules[i]; rule.Action {
		case batchv1.PodFailurePolicyActionIgnore, batchv1.PodFailurePolicyActionFailIndex,
			batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailJob:
			if what := matchRule(rule, pod); what != "" {
				return i, what
			}
		}
	}
	return -1, ""
}

// matchRule returns what of the Pod matches, in words, or nothing.
func matchRule(rule *batchv1.PodFailurePolicyRule, pod *corev1.Pod) string {
	if rule.OnExitCodes != nil {
		c := matchExitCodes(pod.Status.ContainerStatuses, rule.OnExitCodes)
		if c == nil {
			c = matchExitCodes(pod.Status.InitContainerStatuses, rule.OnExitCodes)
		}
		if c == nil {
			return ""
		}
		return fmt.Sprintf("Container %s for pod %s/%s failed with exit code %v", c.Name, pod.Namespace, pod.Name, c.State.Terminated.ExitCode)
	}
	for _, c := range pod.Status.Conditions {
		for _, pattern := range rule.OnPodConditions {
			if c.Type == pattern.Type && c.Status == pattern.Status {
				return fmt.Sprintf("Pod %s/%s has condition %v", pod.Namespace, pod.Name, c.Type)
			}
		}
	}
	return ""
}

// matchExitCodes returns the first container that ended with an exit code that
// the requirement asks for. Exit code 0 never matches.
func matchExitCodes(statuses []corev1.ContainerStatus, want *batchv1.PodFailurePolicyOnExitCodesRequirement) *corev1.ContainerStatus {
	for i := range statuses {
		end := statuses[i].State.Terminated
		if end == nil || end.ExitCode == 0 || want.ContainerName != nil && *want.ContainerName != statuses[i].Name {
			continue
		}
		listed := slices.Contains(want.Values, end.ExitCode)
		if want.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && listed ||
			want.Operator == batchv1.PodFailurePolicyOnExitCodesOpNotIn && !listed {
			return &statuses[i]
		}
	}
	return nil
}

// failJobMessage returns why the policy fails the whole Job, or nothing.
func failJobMessage(job *batchv1.Job, pods []*corev1.Pod) string {
	if job.Spec.PodFailurePolicy == nil {
		return ""
	}
	for _, pod := range pods {
		if podFailed(job, pod) {
			if v := matchPodFailurePolicy(job.Spec.PodFailurePolicy, pod); v.Message != "" {
				return v.Message
			}
		}
	}
	return ""
}
