package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/decide"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// sandboxLow and sandboxHigh bound the time to make a Pod's sandbox, createLow
// and createHigh that to create a container. Unit: virtual time.
const (
	sandboxLow, sandboxHigh = 100 * time.Millisecond, 300 * time.Millisecond
	createLow, createHigh   = 20 * time.Millisecond, 80 * time.Millisecond
)

// apply carries one action out.
func (r *Reconciler) apply(ctx context.Context, run *podRun, a decide.Action, now time.Time) {
	switch a.Verb {
	case decide.BeginSandbox:
		r.beginSandbox(ctx, run, now)
	case decide.EndSandbox:
		r.endSandbox(ctx, run, now)
	case decide.Allocate:
		r.allocate(ctx, run, now)
	case decide.Actuate:
		r.actuate(ctx, run, now)
	case decide.Remount:
		r.remount(ctx, run, now)
	case decide.AskCertificates:
		r.askCertificates(ctx, run, now)
	case decide.Pull:
		r.pull(ctx, run, a.Container, now)
	case decide.EndPull:
		r.endPull(ctx, run, a.Container)
	case decide.BackOffPull:
		r.backOffPull(ctx, run, a.Container)
	case decide.BackOffRestart:
		r.backOffRestart(ctx, run, a.Container)
	case decide.RemoveAll:
		r.removeAll(run)
	case decide.Start:
		r.start(ctx, run, a.Container)
	case decide.EndPostStart:
		r.endPostStart(ctx, run, a.Container, now)
	case decide.StopPod:
		r.stopPod(ctx, run, a.Stop)
	case decide.BeginKill:
		r.beginKill(ctx, run, a.Container, a.Why, killEvent(run, a.Container, a.Why), now)
	case decide.HastenKill:
		run.hastenKill(a.Container, now)
	case decide.EndPreStop:
		run.endPreStop(ctx, a.Container)
	case decide.Terminate:
		run.terminate(a.Container, now)
	case decide.Kill:
		run.kill(a.Container, now)
	case decide.Finish:
		run.finish()
		r.settleAccount(run)
		r.retryDeferred(run.node)
	}
}

// event records what happened to container i, or to the Pod if i is -1.
func (run *podRun) event(ctx context.Context, i int, e event.Event) {
	ref := engine.Reference(run.pod, "v1", "Pod")
	if i >= 0 {
		list := "containers"
		switch run.Containers[i].Role {
		case podstate.Initializer, podstate.Sidecar:
			list = "initContainers"
		case podstate.Ephemeral:
			list = "ephemeralContainers"
		}
		ref.FieldPath = "spec." + list + "{" + run.Containers[i].Name + "}"
	}
	run.node.recorder.Event(ctx, ref, e.Type, e.Reason, "%s", e.Message)
	if run.follower != nil {
		container := ""
		if i >= 0 {
			container = run.Containers[i].Name
		}
		run.follower.Event(run.pod, container, e.Reason, e.Message)
	}
}

// draw derives the numbers of the next instance of container i.
func (r *Reconciler) draw(run *podRun, i int) podstate.Draw {
	c := &run.Containers[i]
	return podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, c.Attempt())
}

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

// start creates the container and starts it. Source:
// kubeGenericRuntimeManager.startContainer in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) start(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	d, at := r.draw(run, i), c.At
	run.Cursor = at
	spec, err := r.programSpec(run, i, c.Image, d, at)
	if err != nil {
		c.Stage, c.Reason, c.Message, c.Blocked, c.Killed = podstate.Idle, podstate.ReasonCreateConfigError, err.Error(), true, false
		r.blockOn(run, err)
		run.dirty = true
		run.event(ctx, i, event.Failed(err))
		return
	}
	effects := scripted(&spec, c.Script, run.onStep(i))
	run.begin(r, i, d, at)
	run.parts[i].effects = effects
	spec.Output = run.outputOf(i)
	run.event(ctx, i, event.Created())
	process, err := r.cfg.Runtime.Start(spec, at)
	if err != nil {
		spec.Root.Release()
		run.failedToStart(i, err)
		run.event(ctx, i, event.Failed(err))
		return
	}
	run.parts[i].process, run.parts[i].root = process, spec.Root
	r.startStats(run, i, d, at)
	run.event(ctx, i, event.Started())
	run.collect(i, at)
	if l := run.Spec(run.pod, i).Lifecycle; l != nil && l.PostStart != nil {
		r.beginPostStart(run, i, at)
		return
	}
	r.startProbing(run, i, at)
}

// begin enters a new instance of container i, and forgets the one before the
// last.
func (run *podRun) begin(r *Reconciler, i int, d podstate.Draw, at time.Time) {
	c := &run.Containers[i]
	if c.Last != nil {
		r.cfg.Logs.DropLog(run.name.Namespace, run.name.Name, c.Last.ID)
	}
	spec := podstate.WithImage(run.Spec(run.pod, i), c.Image)
	im := r.images.Get(spec.Image)
	in := &podstate.Instance{
		User: r.userStatus(run.pod, spec),
		ID:   d.ContainerID(), Attempt: d.Attempt, StartedAt: at,
		ImageID: im.ID, Image: im.Full, SpecImage: spec.Image, Script: c.Script,
	}
	c.Script, c.Tries = nil, c.Tries+1
	c.Last, c.Current = c.Current, in
	c.Stage, c.Kill, c.Killed, c.Unhealthy, c.Again = podstate.Running, nil, false, "", false
	c.Actual = nil
	c.Started, c.Ready, c.Probes = spec.StartupProbe == nil, spec.ReadinessProbe == nil, nil
	if spec.Lifecycle == nil || spec.Lifecycle.PostStart == nil { // else the status stays as it is
		c.Reason, c.Message = "", ""
	}
	run.parts[i].log = r.cfg.Logs.NewLog(run.name.Namespace, run.name.Name, in.ID, run.account.Of(stats.Storage))
	run.dirty = true
}

// failedToStart records an instance that never ran, as containerd reports it.
func (run *podRun) failedToStart(i int, err error) {
	c := &run.Containers[i]
	in := c.Current
	in.Exited, in.ExitCode, in.Reason, in.Message = true, podstate.ExitStartError, podstate.ReasonStartError, err.Error()
	in.FinishedAt, in.StartedAt = in.StartedAt, time.Unix(0, 0).UTC()
	run.parts[i].log.End(in.FinishedAt)
	c.Stage, c.Reason, c.Message = podstate.Idle, podstate.ReasonRunContainerError, err.Error()
	run.tellEnd(i)
}

func (r *Reconciler) backOffRestart(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	c.Reason, c.Killed = podstate.ReasonCrashLoopBackOff, false
	c.Message = "back-off " + c.BackOff.Delay.String() + " restarting failed container=" + c.Name + " pod=" + podstate.PodTitle(run.pod)
	run.dirty = true
	run.event(ctx, i, event.RestartBackOff(c.Name, podstate.PodTitle(run.pod)))
}
