package status

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// resizeConditions are those that the Pod has now.
func resizeConditions(s *podstate.State) []corev1.PodCondition {
	var out []corev1.PodCondition
	if r := s.Resize; r != nil && !s.Finished {
		for _, c := range []*corev1.PodCondition{r.Pending, r.InProgress} {
			if c != nil {
				out = append(out, *c)
			}
		}
	}
	return out
}
