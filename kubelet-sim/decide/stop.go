package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// stoppedSince is when the Pod's grace period began: now, unless the server was
// away since.
func stoppedSince(pod *corev1.Pod, now time.Time) time.Time {
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return now
	}
	began := engine.After(pod.DeletionTimestamp.Time, -engine.Seconds(*pod.DeletionGracePeriodSeconds))
	if now.Sub(began) > time.Second {
		return began
	}
	return now
}

// stopping ends the containers, all within one grace period: every one at
// once, but the sidecars get their SIGTERM after the regular containers have
// ended, in reverse order. Source: killContainersWithSyncResult and
// terminationOrdering in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func stopping(pod *corev1.Pod, s *podstate.State, now time.Time) Plan {
	var p Plan
	ended, regularEnded := true, !anyRegularRuns(s)
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Activity != podstate.Running {
			continue
		}
		ended = false
		switch {
		case c.Kill == nil:
			p.Do = append(p.Do, Action{Verb: BeginKill, Container: i})
		case podstate.Grace(pod, s.Spec(pod, i), c.Kill.Reason) < c.Kill.Grace:
			p.Do = append(p.Do, Action{Verb: HastenKill, Container: i})
		default:
			turn := c.Role != podstate.Sidecar || regularEnded && lastSidecar(s, i)
			p = p.and(ending(s, i, turn, now))
		}
	}
	if ended {
		return do(Finish, -1)
	}
	return p
}

func anyRegularRuns(s *podstate.State) bool {
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == podstate.Regular && c.Activity == podstate.Running {
			return true
		}
	}
	return false
}

// lastSidecar reports whether no sidecar after i runs.
func lastSidecar(s *podstate.State, i int) bool {
	for j := i + 1; j < len(s.Containers); j++ {
		if c := &s.Containers[j]; c.Role == podstate.Sidecar && c.Activity == podstate.Running {
			return false
		}
	}
	return true
}
