package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Reasons of conditions. Source: generate.go in k8s.io/kubernetes
// pkg/kubelet/status and constants.go in pkg/kubelet/types v1.37.2.
const (
	podCompleted             = "PodCompleted"
	podFailed                = "PodFailed"
	containersNotReady       = "ContainersNotReady"
	containersNotInitialized = "ContainersNotInitialized"
	readinessGatesNotReady   = "ReadinessGatesNotReady"
	podSandboxNotReady       = "PodSandboxNotReady"
	noPodSandboxMessage      = "no pod sandbox exists"
	sandboxNotReadyMessage   = "pod sandbox is not ready"
)

// conditions returns the Pod's conditions: those of others as they are, and
// the kubelet's. Source: Kubelet.generateAPIPodStatus in k8s.io/kubernetes
// pkg/kubelet, and generate.go in pkg/kubelet/status, v1.37.2.
func conditions(pod *corev1.Pod, s *podstate.State, p corev1.PodPhase, now time.Time) []corev1.PodCondition {
	all := make([]corev1.PodCondition, 0, len(pod.Status.Conditions)+5)
	for _, c := range pod.Status.Conditions {
		if !kubeletOwns(c.Type) {
			all = append(all, c)
		}
	}
	if c, ok := evictedCondition(s); ok {
		c.ObservedGeneration, c.LastTransitionTime = pod.Generation, podstate.Seconds(now)
		all = slices.DeleteFunc(all, func(old corev1.PodCondition) bool { return old.Type == c.Type })
		all = append(all, c)
	}
	all = append(all, resizeConditions(s)...)
	ready := containersReady(s, p)
	own := []corev1.PodCondition{
		sandboxCondition(s),
		initializedCondition(pod, s, p),
		podReady(pod, ready),
		ready,
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	}
	if c, ok := restartingCondition(pod, s, p); ok {
		own = append(own, c)
	}
	for _, c := range own {
		c.ObservedGeneration = pod.Generation
		c.LastTransitionTime = podstate.Seconds(now)
		if _, old := podutil.GetPodCondition(&pod.Status, c.Type); old != nil && old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		all = append(all, c)
	}
	return all
}

// kubeletOwns: see PodConditionByKubelet in k8s.io/kubernetes
// pkg/kubelet/types v1.37.2.
func kubeletOwns(t corev1.PodConditionType) bool {
	switch t {
	case corev1.PodScheduled, corev1.PodReady, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReadyToStartContainers,
		corev1.PodResizePending, corev1.PodResizeInProgress, corev1.AllContainersRestarting:
		return true
	}
	return false
}

func sandboxCondition(s *podstate.State) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue}
	switch s.Sandbox {
	case podstate.SandboxReady:
		return c
	case podstate.SandboxGone:
		c.Message = sandboxNotReadyMessage
	default:
		c.Message = noPodSandboxMessage
	}
	c.Status, c.Reason = corev1.ConditionFalse, podSandboxNotReady
	return c
}

func initializedCondition(pod *corev1.Pod, s *podstate.State, p corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	if p == corev1.PodSucceeded {
		c.Reason = podCompleted
		return c
	}
	var incomplete []string
	for i := range s.Containers {
		switch k := &s.Containers[i]; k.Role {
		case podstate.Initializer:
			if !k.Exited() || k.Current.ExitCode != 0 {
				incomplete = append(incomplete, k.Name)
			}
		case podstate.Sidecar:
			if !k.Up() || !k.Started {
				incomplete = append(incomplete, k.Name)
			}
		}
	}
	if _, old := podutil.GetPodCondition(&pod.Status, corev1.PodInitialized); old != nil && old.Status == corev1.ConditionTrue {
		return c // once initialized a Pod stays so, even if it begins again
	}
	if len(incomplete) == 0 || podstate.AnyRegularStarted(s) {
		return c
	}
	c.Status, c.Reason = corev1.ConditionFalse, containersNotInitialized
	c.Message = fmt.Sprintf("containers with incomplete status: %s", incomplete)
	return c
}

func containersReady(s *podstate.State, p corev1.PodPhase) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}
	switch p {
	case corev1.PodSucceeded:
		c.Status, c.Reason = corev1.ConditionFalse, podCompleted
		return c
	case corev1.PodFailed:
		c.Status, c.Reason = corev1.ConditionFalse, podFailed
		return c
	}
	var unready []string
	for i := range s.Containers {
		k := &s.Containers[i]
		if (k.Role == podstate.Regular || k.Role == podstate.Sidecar) && (!k.Up() || !k.Started || !k.Ready) {
			unready = append(unready, k.Name)
		}
	}
	if len(unready) > 0 {
		c.Status, c.Reason = corev1.ConditionFalse, containersNotReady
		c.Message = fmt.Sprintf("containers with unready status: %s", unready)
	}
	return c
}

// podReady adds the readiness gates to ContainersReady.
func podReady(pod *corev1.Pod, ready corev1.PodCondition) corev1.PodCondition {
	c := ready
	c.Type = corev1.PodReady
	if ready.Status != corev1.ConditionTrue {
		return c
	}
	var messages []string
	for _, gate := range pod.Spec.ReadinessGates {
		_, is := podutil.GetPodCondition(&pod.Status, gate.ConditionType)
		switch {
		case is == nil:
			messages = append(messages, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", string(gate.ConditionType)))
		case is.Status != corev1.ConditionTrue:
			messages = append(messages, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", string(gate.ConditionType), is.Status))
		}
	}
	if len(messages) > 0 {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, readinessGatesNotReady, strings.Join(messages, ", ")
	}
	return c
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
