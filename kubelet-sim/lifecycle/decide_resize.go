package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// decideResize says what there is to do for a resize.
func decideResize(s *podstate.State, now time.Time) plan {
	r := s.Resize
	if r == nil {
		return plan{}
	}
	var p plan
	if r.Pending != nil || r.Judge {
		if r.Judge || !now.Before(r.RetryAt) {
			return do(allocate, -1)
		}
		p = at(r.RetryAt, engine.Recurring)
	}
	if r.InProgress == nil {
		return p
	}
	if !now.Before(r.LookAt) {
		return do(actuate, -1)
	}
	kind := engine.Work
	if r.InProgress.Reason == corev1.PodReasonError {
		kind = engine.Recurring
	}
	return p.and(at(r.LookAt, kind))
}
