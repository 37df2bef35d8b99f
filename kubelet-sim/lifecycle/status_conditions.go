package lifecycle

import (
	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// restartingCondition is there for Pods that may start all containers again. Source:
// GenerateAllContainersRestartingCondition in k8s.io/kubernetes pkg/kubelet/status
// v1.37.2.
func restartingCondition(pod *corev1.Pod, s *podstate.State, p corev1.PodPhase) (corev1.PodCondition, bool) {
	if !podutil.AllContainersCouldRestart(&pod.Spec) {
		return corev1.PodCondition{}, false
	}
	c := corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionFalse}
	switch p {
	case corev1.PodSucceeded:
		c.Reason = podCompleted
		return c, true
	case corev1.PodFailed:
		c.Reason = podFailed
		return c, true
	}
	if _, restarts := podstate.RestartsAll(pod, s); restarts {
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, podstate.ReasonRestartAllStarted, podstate.RestartAllMessage
	}
	return c, true
}

// evictedCondition is that of a Pod that its node has evicted. Source: synchronize
// in eviction_manager.go of k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
func evictedCondition(s *podstate.State) (corev1.PodCondition, bool) {
	if !s.Finished || s.Stop == nil || s.Stop.Reason != event.Evicted {
		return corev1.PodCondition{}, false
	}
	return corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: corev1.PodReasonTerminationByKubelet, Message: s.Stop.Message,
	}, true
}
