package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/recovery"
)

// boot is the last boot of a node's machine.
func (r *Reconciler) boot(name string) string {
	if obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name); ok {
		return node.Boot(obj)
	}
	return ""
}

// reboot ends all that runs of a Pod, because its node's machine goes down. What its
// disk holds stays. When the kubelet runs again, it makes the Pod a new sandbox if any
// of its containers is to start again.
//
// Deviation: containers end when the machine goes down; containerd reports the instant
// at which it finds them dead.
func (r *Reconciler) reboot(run *podRun, now time.Time) {
	run.Boot = r.boot(run.node.Name)
	if run.Finished {
		return
	}
	run.advance(now)
	for i := range run.Containers {
		c := &run.Containers[i]
		c.Kill, c.PostStart, run.parts[i].hook = nil, nil, nil
		if run.parts[i].process != nil {
			run.ended(i, now, podstate.ExitUnknown, podstate.ReasonUnknown)
		}
	}
	run.endClients(-1)
	run.dirty = true
	if !recovery.Reboot(run.pod, &run.State) {
		return
	}
	run.netns = run.newNetns()
	if run.pod.Spec.HostNetwork {
		run.netns = run.node.netns
	}
}
