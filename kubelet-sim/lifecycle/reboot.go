package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// exitUnknown and unknownReason are how containerd reports a container that it finds
// dead when it starts. Source: unknownExitCode and unknownExitReason in
// github.com/containerd/containerd internal/cri/server v2.2.
const (
	exitUnknown   = 255
	unknownReason = "Unknown"
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
			run.ended(i, now, exitUnknown, unknownReason)
		}
		// The kubelet has forgotten what it waited for.
		c.Stage, c.Reason, c.Message, c.Killed, c.Unhealthy, c.Probes = idle, "", "", false, "", nil
		c.BackOff, c.PullBackOff = backOff{}, backOff{}
	}
	run.endSessions(-1)
	run.dirty = true
	if run.Stop != nil || !startsAgain(run.pod, &run.podState) {
		return
	}
	for i := range run.Containers {
		c := &run.Containers[i]
		c.Again = c.Role == initializer && c.exited()
	}
	run.Sandbox, run.IP, run.netns = noSandbox, "", run.newNetns()
	if run.pod.Spec.HostNetwork {
		run.netns = run.node.netns
	}
}

// startsAgain reports whether a Pod whose containers have all ended gets a new sandbox.
func startsAgain(pod *corev1.Pod, s *podState) bool {
	if pod.DeletionTimestamp != nil || podutil.IsPodPhaseTerminal(pod.Status.Phase) {
		return false
	}
	if pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
		return !anyStarted(s)
	}
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == regular && (!c.exited() || s.restarts(pod, i)) {
			return true
		}
	}
	return false
}

// anyStarted reports whether a container of the Pod has run.
func anyStarted(s *podState) bool {
	for i := range s.Containers {
		if s.Containers[i].Current != nil {
			return true
		}
	}
	return false
}
