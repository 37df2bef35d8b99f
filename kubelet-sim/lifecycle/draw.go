package lifecycle

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// draw derives the numbers of the next instance of container i.
func (r *Reconciler) draw(run *podRun, i int) podstate.Draw {
	c := &run.Containers[i]
	return podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, c.Attempt())
}

// drawOf returns what derives the numbers of the Pod's instances.
func (r *Reconciler) drawOf(pod *corev1.Pod) func(container string, attempt int32) podstate.Draw {
	return func(container string, attempt int32) podstate.Draw {
		return podstate.NewDraw(r.cfg.Engine.Random(), pod, container, attempt)
	}
}
