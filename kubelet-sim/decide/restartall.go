package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// restartAll ends the containers of a Pod that have to start again, one after
// the other, the regular ones first, and then has them all forgotten. The kubelet finds
// out that it has to when it next looks at its containers. Source:
// kubeGenericRuntimeManager.computePodActions and SyncPod in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func restartAll(pod *corev1.Pod, s *podstate.State, now time.Time) (p Plan, busy bool) {
	source, busy := podstate.RestartsAll(pod, s)
	if !busy {
		return Plan{}, false
	}
	if seen := s.Containers[source].Current.FinishedAt.Add(SyncDelay); now.Before(seen) {
		return at(seen, engine.Progress).and(wakes(pod, s)), true
	}
	for _, regulars := range [...]bool{true, false} {
		for i := range s.Containers {
			c := &s.Containers[i]
			if c.Role == podstate.Ephemeral || (c.Role == podstate.Regular) != regulars || c.Activity != podstate.Running {
				continue
			}
			if c.Kill == nil {
				return Plan{Do: []Action{{Verb: BeginKill, Container: i, Why: podstate.RestartAll}}}, true
			}
			return ending(s, i, true, now).and(wakes(pod, s)), true
		}
	}
	return do(RemoveAll, -1), true
}
