package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// resize says what there is to do for a resize.
func resize(s *podstate.State, now time.Time) Plan {
	r := s.Resize
	if r == nil {
		return Plan{}
	}
	var p Plan
	if r.Pending != nil || r.Judge {
		if r.Judge || !now.Before(r.RetryAt) {
			return do(Allocate, -1)
		}
		p = at(r.RetryAt, engine.Poll)
	}
	if r.InProgress == nil {
		return p
	}
	if !now.Before(r.LookAt) {
		return do(Actuate, -1)
	}
	wake := engine.Progress
	if r.InProgress.Reason == corev1.PodReasonError {
		wake = engine.Poll
	}
	return p.and(at(r.LookAt, wake))
}
