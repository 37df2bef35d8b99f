package recovery

import (
	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Reboot is what a kubelet knows of a Pod after its node's machine has gone down, and all that
// ran has ended: it has forgotten what it waited for. It reports whether the Pod gets a new
// sandbox, in which its init containers run once more. Source:
// kubeGenericRuntimeManager.computePodActions in k8s.io/kubernetes pkg/kubelet/kuberuntime
// v1.37.2.
func Reboot(pod *corev1.Pod, s *podstate.State) (again bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		c.Activity, c.Reason, c.Message, c.Killed, c.Unhealthy, c.Probes = podstate.Idle, "", "", false, "", nil
		c.BackOff, c.PullBackOff = podstate.BackOff{}, podstate.BackOff{}
	}
	if s.Stop != nil || !startsAgain(pod, s) {
		return false
	}
	for i := range s.Containers {
		c := &s.Containers[i]
		c.Again = c.Role == podstate.Initializer && c.Exited()
	}
	s.Sandbox, s.IP = podstate.NoSandbox, ""
	return true
}

// startsAgain reports whether a Pod whose containers have all ended gets a new sandbox.
func startsAgain(pod *corev1.Pod, s *podstate.State) bool {
	if pod.DeletionTimestamp != nil || podutil.IsPodPhaseTerminal(pod.Status.Phase) {
		return false
	}
	if pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
		return !podstate.AnyStarted(s)
	}
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == podstate.Regular && (!c.Exited() || s.Restarts(pod, i)) {
			return true
		}
	}
	return false
}
