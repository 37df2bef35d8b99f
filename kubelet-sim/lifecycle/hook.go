package lifecycle

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// command is a command of the kubelet that runs in a container: a hook or a
// probe.
type command struct {
	exec cri.Exec
	argv []string
	// output is all that it printed, stderr its share; both are cut off.
	output, stderr strings.Builder
}

// commandOutputMax bounds what is kept of a command's output. Unit: bytes.
// Source: maxReadLength in k8s.io/kubernetes pkg/probe/exec v1.37.2.
const commandOutputMax = 10 << 10

// runCommand starts a command in container i. The error is the runtime's.
func (r *Reconciler) runCommand(run *podRun, i int, argv []string, now time.Time) (*command, error) {
	k := &command{argv: argv}
	exec, err := run.parts[i].process.Exec(program.ExecSpec{Command: argv, Output: k.print}, now)
	if err != nil {
		c := &run.Containers[i]
		d := podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, c.Current.Attempt)
		return nil, fmt.Errorf("rpc error: code = Unknown desc = %w", execError(err, d.ExecID(now)))
	}
	k.exec = exec
	return k, nil
}

// execError words a failure to start a command as containerd does.
func execError(err error, id string) error {
	return fmt.Errorf("failed to exec in container: failed to start exec %q: %w", id, err)
}

func (k *command) print(chunk kernel.Chunk) {
	add := func(b *strings.Builder) { b.Write(chunk.Data[:min(len(chunk.Data), commandOutputMax-b.Len())]) }
	add(&k.output)
	if chunk.Stderr {
		add(&k.stderr)
	}
}

// failure is how the command failed, nil if it succeeded. Source:
// runtimeService.ExecSync in k8s.io/cri-client v0.37.2.
func (k *command) failure(code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("command '%s' exited with %d: %s", strings.Join(k.argv, " "), code, k.stderr.String())
}

// runHook starts a hook. Source: handlerRunner.Run in k8s.io/kubernetes
// pkg/kubelet/lifecycle v1.37.2.
func (r *Reconciler) runHook(run *podRun, i int, handler *corev1.LifecycleHandler, now time.Time) *podstate.Hook {
	h := &podstate.Hook{Since: now}
	switch {
	case handler.Exec != nil:
		k, err := r.runCommand(run, i, handler.Exec.Command, now)
		if err != nil {
			h.End(run.hookError(i, handler, err, ""))
			break
		}
		run.parts[i].hook = k
	case handler.HTTPGet != nil:
		_, _, err := run.target(i).Get(handler.HTTPGet, "lifecycle", now)
		h.End(run.hookError(i, handler, err, ""))
	case handler.Sleep != nil:
		h.Until = engine.After(now, engine.Seconds(handler.Sleep.Seconds))
	}
	return h
}

// hookError words the failure of a hook, nil for none. Source:
// handlerRunner.Run in k8s.io/kubernetes pkg/kubelet/lifecycle v1.37.2.
func (run *podRun) hookError(i int, handler *corev1.LifecycleHandler, err error, output string) error {
	name, title := run.Containers[i].Name, podstate.PodTitle(run.pod)
	switch {
	case err == nil:
		return nil
	case handler.HTTPGet != nil:
		return fmt.Errorf("HTTP lifecycle hook (%s) for Container %q in Pod %q failed - error: %w", handler.HTTPGet.Path, name, title, err)
	}
	return fmt.Errorf("Exec lifecycle hook (%v) for Container %q in Pod %q failed - error: %w, message: %q", handler.Exec.Command, name, title, err, output)
}

// lookAtHook notes the end of the hook's command, or of its container.
func (run *podRun) lookAtHook(i int) {
	c, k := &run.Containers[i], run.parts[i].hook
	if k == nil {
		return
	}
	code, ended := k.exec.Exited()
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
		c.Kill.PreStop.End(run.hookError(i, lifecycle.PreStop, k.failure(code), k.output.String()))
	case c.PostStart != nil:
		c.PostStart.End(run.hookError(i, lifecycle.PostStart, k.failure(code), k.output.String()))
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
