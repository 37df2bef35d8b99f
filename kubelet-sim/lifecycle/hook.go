package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/hook"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// runCommand starts a command in container i. The error is the runtime's.
func (r *Reconciler) runCommand(run *podRun, i int, argv []string, now time.Time) (*hook.Command, error) {
	id := func() string {
		c := &run.Containers[i]
		return podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, c.Current.Attempt).ExecID(now)
	}
	return hook.Run(run.parts[i].process, argv, id, now)
}

// runHook starts a hook.
func (r *Reconciler) runHook(run *podRun, i int, handler *corev1.LifecycleHandler, now time.Time) *podstate.Hook {
	start := func(argv []string) (*hook.Command, error) { return r.runCommand(run, i, argv, now) }
	begun, command := run.handler(i, handler).Begin(start, run.target(i), now)
	if command != nil {
		run.parts[i].hook = command
	}
	return begun
}

// handler is a hook of container i.
func (run *podRun) handler(i int, h *corev1.LifecycleHandler) hook.Handler {
	return hook.Handler{LifecycleHandler: h, Container: run.Containers[i].Name, Pod: podstate.PodTitle(run.pod)}
}

// lookAtHook notes the end of the hook's command, or of its container.
func (run *podRun) lookAtHook(i int) {
	c, k := &run.Containers[i], run.parts[i].hook
	if k == nil {
		return
	}
	code, ended := k.Exited()
	if !ended && c.Activity == podstate.Running {
		return
	}
	if !ended {
		code = podstate.ExitKilled
	}
	run.parts[i].hook, run.stirred = nil, true
	lifecycle := run.Spec(run.pod, i).Lifecycle
	switch {
	case c.Kill != nil && c.Kill.PreStop != nil:
		run.handler(i, lifecycle.PreStop).End(c.Kill.PreStop, k, code)
	case c.PostStart != nil:
		run.handler(i, lifecycle.PostStart).End(c.PostStart, k, code)
	}
}

// beginPostStart starts the postStart hook of an instance that has just started.
func (r *Reconciler) beginPostStart(run *podRun, i int, at time.Time) {
	c, lifecycle := &run.Containers[i], run.Spec(run.pod, i).Lifecycle
	c.PostStart = r.runHook(run, i, lifecycle.PostStart, at)
	run.collect(i, at)
}

// endPostStart has the postStart hook ended.
func (r *Reconciler) endPostStart(ctx context.Context, run *podRun, i int, now time.Time) {
	c := &run.Containers[i]
	run.dirty = true
	if c.PostStart.Error == "" {
		c.PostStart, c.Reason, c.Message = nil, "", ""
		r.startProbing(run, i, now)
		return
	}
	run.event(ctx, i, event.FailedPostStartHook())
	if c.Activity == podstate.Running {
		r.beginKill(ctx, run, i, "", event.FailedPostStartMessage, now)
		return
	}
	c.FailPostStart()
}

// tellFailedPreStop records the hooks that their container's end has cut off.
func (run *podRun) tellFailedPreStop(ctx context.Context) {
	for _, i := range run.failedPreStop {
		run.event(ctx, i, event.FailedPreStopHook())
	}
	run.failedPreStop = nil
}
