package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
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
// of its containers is to start again, and runs the init containers once more. Source:
// kubeGenericRuntimeManager.computePodActions in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
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
		// The kubelet has forgotten what it waited for.
		c.Activity, c.Reason, c.Message, c.Killed, c.Unhealthy, c.Probes = podstate.Idle, "", "", false, "", nil
		c.BackOff, c.PullBackOff = podstate.BackOff{}, podstate.BackOff{}
	}
	run.endClients(-1)
	run.dirty = true
	if run.Stop != nil || !startsAgain(run.pod, &run.State) {
		return
	}
	for i := range run.Containers {
		c := &run.Containers[i]
		c.Again = c.Role == podstate.Initializer && c.Exited()
	}
	run.Sandbox, run.IP, run.netns = podstate.NoSandbox, "", run.newNetns()
	if run.pod.Spec.HostNetwork {
		run.netns = run.node.netns
	}
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
