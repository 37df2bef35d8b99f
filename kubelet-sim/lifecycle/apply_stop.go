package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// stopPod begins to stop the Pod: what is under way is given up.
func (r *Reconciler) stopPod(ctx context.Context, run *podRun, why stop) {
	run.Stop = &why
	for i := range run.Containers {
		if c := &run.Containers[i]; c.Stage != running {
			c.Stage = idle
		}
	}
	if why.Reason != "" {
		run.event(ctx, -1, corev1.EventTypeNormal, why.Reason, "%s", why.Message)
	}
}

// terminate asks a container to end. Source:
// kubeGenericRuntimeManager.killContainer in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) terminate(ctx context.Context, run *podRun, i int, now time.Time) {
	c := &run.Containers[i]
	c.Terminating = true
	run.event(ctx, i, corev1.EventTypeNormal, "Killing", "Stopping container %s", c.Name)
	run.parts[i].process.Signal(kernel.SIGTERM, now)
	run.collect(i, now)
}

// kill ends a container.
func (run *podRun) kill(i int, now time.Time) {
	run.parts[i].process.Signal(kernel.SIGKILL, now)
	run.collect(i, now)
	if run.Containers[i].Stage == running {
		run.ended(i, now, exitKilled, failedReason)
	}
}

// finish takes the sandbox down. The logs stay until the Pod is deleted.
func (run *podRun) finish() {
	run.node.release(run.IP)
	run.count(false)
	run.Finished = true
	if run.Sandbox != noSandbox {
		run.Sandbox = sandboxGone
	}
	run.volumes, run.dirty = nil, true
}
