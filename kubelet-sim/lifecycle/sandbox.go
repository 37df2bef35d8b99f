package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// sandboxLow and sandboxHigh bound the time to make a Pod's sandbox, createLow
// and createHigh that to create a container. Unit: virtual time.
const (
	sandboxLow, sandboxHigh = 100 * time.Millisecond, 300 * time.Millisecond
	createLow, createHigh   = 20 * time.Millisecond, 80 * time.Millisecond
)

// blockOn makes the Pod wait for the objects that err misses.
func (r *Reconciler) blockOn(run *podRun, err error) {
	for _, d := range depend.Missing(err) {
		r.waiters.Add(d, run.name)
	}
}

func (r *Reconciler) beginSandbox(ctx context.Context, run *podRun, now time.Time) {
	if err := run.makeVolumes(r.storage, now); err != nil {
		run.Blocked = true
		r.blockOn(run, err)
		run.event(ctx, -1, event.FailedMount(err))
		return
	}
	if run.Boot != "" && podstate.AnyStarted(&run.State) {
		run.event(ctx, -1, event.SandboxChanged())
	}
	d := r.draw(run, 0)
	ready := now.Add(podstate.Between(d.Number("sandbox"), sandboxLow, sandboxHigh))
	if first := run.Spec(run.pod, 0); first.ImagePullPolicy != corev1.PullAlways && run.node.images[r.images.Get(first.Image).Full] {
		ready = d.StartAt(ready) // the container starts at once
	}
	run.Sandbox, run.SandboxAt = podstate.SandboxStarting, ready
}

func (r *Reconciler) endSandbox(ctx context.Context, run *podRun, now time.Time) {
	if run.pod.Spec.HostNetwork {
		run.IP = run.HostIP
	} else if !r.takeAddress(run) {
		run.event(ctx, -1, event.NoAddress(run.node.PodCIDR))
		run.SandboxAt, run.SandboxTries = now.Add(podstate.BackOffStart), run.SandboxTries+1
		run.node.short[run.name] = true
		return
	}
	run.Sandbox, run.Cursor = podstate.SandboxReady, run.SandboxAt
}

// cursor is the instant at which the kubelet goes on with the Pod: when it was
// due, unless it waited for something without a time.
func (run *podRun) cursor(now time.Time) time.Time {
	if now.Sub(run.Cursor) > time.Second {
		run.Cursor = now
	}
	return run.Cursor
}
