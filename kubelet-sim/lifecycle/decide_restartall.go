package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// decideRestartAll ends the containers of a Pod that have to start again, one after
// the other, the regular ones first, and then has them all forgotten. The kubelet finds
// out that it has to when it next looks at its containers. Source:
// kubeGenericRuntimeManager.computePodActions and SyncPod, ibid. kuberuntime.
func decideRestartAll(pod *corev1.Pod, s *podstate.State, now time.Time) (p plan, busy bool) {
	source, busy := podstate.RestartsAll(pod, s)
	if !busy {
		return plan{}, false
	}
	if seen := s.Containers[source].Current.FinishedAt.Add(syncDelay); now.Before(seen) {
		return at(seen, engine.Work).and(decideWakes(pod, s)), true
	}
	for _, regulars := range [...]bool{true, false} {
		for i := range s.Containers {
			c := &s.Containers[i]
			if c.Role == podstate.Ephemeral || (c.Role == podstate.Regular) != regulars || c.Stage != podstate.Running {
				continue
			}
			if c.Kill == nil {
				return plan{Do: []action{{Verb: beginKill, Container: i, Why: podstate.RestartAll}}}, true
			}
			return decideKill(s, i, true, now).and(decideWakes(pod, s)), true
		}
	}
	return do(removeAll, -1), true
}
