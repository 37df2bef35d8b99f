package job

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// podFailed reports whether the Pod counts as failed. A Pod that is being
// deleted does at once, because it may never reach the phase Failed, unless
// the Job waits for the real end of its Pods.
func podFailed(job *batchv1.Job, pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodFailed {
		return true
	}
	return !replacesFailedOnly(job) && pod.DeletionTimestamp != nil && pod.Status.Phase != corev1.PodSucceeded
}

// replacesFailedOnly reports whether a Pod is replaced only once it has failed,
// not when its deletion begins.
func replacesFailedOnly(job *batchv1.Job) bool {
	return job.Spec.PodReplacementPolicy != nil && *job.Spec.PodReplacementPolicy == batchv1.Failed
}

func terminatingPods(pods []*corev1.Pod) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil && !podutil.IsPodTerminal(pod) {
			out = append(out, pod)
		}
	}
	return out
}

// finishedAt returns when a Pod ended: by its containers, else by its condition
// Ready, else by its deletion, else its creation.
// Source: getFinishedTime, k8s.io/kubernetes pkg/controller/job v1.37.2.
func finishedAt(pod *corev1.Pod) time.Time {
	if t, ok := containersFinishedAt(pod); ok {
		return t
	}
	if _, c := podutil.GetPodCondition(&pod.Status, corev1.PodReady); c != nil && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	if pod.DeletionTimestamp != nil {
		var grace time.Duration
		if pod.DeletionGracePeriodSeconds != nil {
			grace = engine.Seconds(*pod.DeletionGracePeriodSeconds)
		}
		return engine.After(pod.DeletionTimestamp.Time, -grace)
	}
	return pod.CreationTimestamp.Time
}

// containersFinishedAt returns the latest end of the Pod's containers and
// sidecars, or false if there is none or one of them has not ended.
func containersFinishedAt(pod *corev1.Pod) (time.Time, bool) {
	sidecars := map[string]bool{}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		sidecars[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	statuses := slices.Clone(pod.Status.ContainerStatuses)
	for _, s := range pod.Status.InitContainerStatuses {
		if sidecars[s.Name] {
			statuses = append(statuses, s)
		}
	}
	if len(statuses) == 0 {
		return time.Time{}, false
	}
	for i := range statuses {
		if end := statuses[i].State.Terminated; end == nil || end.FinishedAt.IsZero() {
			return time.Time{}, false
		}
	}
	last := slices.MaxFunc(statuses, func(a, b corev1.ContainerStatus) int {
		return a.State.Terminated.FinishedAt.Compare(b.State.Terminated.FinishedAt.Time)
	})
	return last.State.Terminated.FinishedAt.Time, true
}
