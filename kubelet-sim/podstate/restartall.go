package podstate

import (
	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// A container whose exit code matches a rule with the action RestartAllContainers
// takes all of its Pod's containers with it. Those that run are ended, and all are
// forgotten. Then the Pod begins again with its init containers, in the same sandbox
// and with the same volumes, without a back-off. KEP-5532; feature gate
// RestartAllContainersOnContainerExits.

// RestartAll is why a container ends that another one takes with it.
const RestartAll KillReason = "RestartAllContainers"

// Reasons and messages of a Pod whose containers all start again. Source:
// k8s.io/kubernetes pkg/kubelet and pkg/kubelet/status v1.37.2.
const (
	ReasonRestartingAll     = "RestartingAllContainers"
	RemovedMessage          = "The container is removed because RestartAllContainers in place"
	ReasonRestartAllStarted = "RestartAllContainersStarted"
	RestartAllMessage       = "container exited with restart policy rule"
)

// takesAll reports whether container i has ended in such a way that all containers of
// the Pod start again.
func takesAll(pod *corev1.Pod, s *State, i int) bool {
	c := &s.Containers[i]
	if c.Role == Ephemeral || c.Killed || !c.Exited() || c.Current.Removed {
		return false
	}
	rule, ok := podutil.FindMatchingContainerRestartRule(*s.Spec(pod, i), c.Current.ExitCode)
	return ok && rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
}

// RestartsAll reports whether all containers of the Pod have to start again, and which
// one was the first to want that. Source: ShouldAllContainersRestart in
// k8s.io/kubernetes pkg/kubelet/container v1.37.2.
func RestartsAll(pod *corev1.Pod, s *State) (source int, ok bool) {
	source = -1
	for i := range s.Containers {
		if takesAll(pod, s, i) && (source < 0 || s.Containers[i].Current.FinishedAt.Before(s.Containers[source].Current.FinishedAt)) {
			source = i
		}
	}
	return source, source >= 0
}
