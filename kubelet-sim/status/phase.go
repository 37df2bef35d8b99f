package status

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// tally counts a Pod's containers by what they mean for its phase.
type tally struct {
	pendingInit, running, waiting, stopped, succeeded int
}

// phase returns the Pod's phase. Source: getPhase in k8s.io/kubernetes
// pkg/kubelet v1.37.2, and manager.TerminatePod in pkg/kubelet/status, which
// makes every Pod that was stopped Failed if it is not Succeeded.
func phase(s *podstate.State) corev1.PodPhase {
	t := count(s)
	switch {
	case s.Finished && s.Stop != nil && s.Stop.Reason != "":
		return corev1.PodFailed
	case s.Finished && t.stopped > 0 && t.pendingInit+t.waiting == 0 && t.stopped == t.succeeded:
		return corev1.PodSucceeded
	case s.Finished:
		return corev1.PodFailed
	case t.pendingInit > 0 || t.waiting > 0:
		return corev1.PodPending
	default:
		return corev1.PodRunning
	}
}

// count looks at every container.
//
// The kubelet never shows a terminal phase while containers run (mergePodStatus
// in pkg/kubelet/status): so phase needs Finished for it.
func count(s *podstate.State) tally {
	var t tally
	started := podstate.AnyRegularStarted(s)
	for i := range s.Containers {
		c := &s.Containers[i]
		switch c.Role {
		case podstate.Initializer:
			t.addInit(c)
		case podstate.Sidecar:
			if c.Up() {
				t.running++
				if !c.Started && !started {
					t.pendingInit++
				}
			} else if c.Current == nil && !started {
				t.pendingInit++
			}
		case podstate.Regular:
			t.addRegular(c)
		}
	}
	return t
}

func (t *tally) addInit(c *podstate.Container) {
	if c.Up() {
		t.running++
	}
	if !c.Exited() || c.Current.ExitCode != 0 && !c.Current.Removed {
		t.pendingInit++
	}
}

func (t *tally) addRegular(c *podstate.Container) {
	switch {
	case c.Up():
		t.running++
	case c.PostStart != nil && c.Last != nil:
		t.stopped++
	case !c.Exited():
		t.waiting++
	default:
		t.stopped++
		if c.Current.ExitCode == 0 {
			t.succeeded++
		}
	}
}
