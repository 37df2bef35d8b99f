package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// stopPod begins to stop the Pod: what is under way is given up.
func (r *Reconciler) stopPod(ctx context.Context, run *podRun, why podstate.Stop) {
	run.Stop = &why
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Activity != podstate.Running {
			c.Activity = podstate.Idle
		}
		if c.Killed || c.PostStart != nil {
			run.dirty = true
		}
		c.Killed, c.PostStart, run.parts[i].hook = false, nil, nil
	}
	if why.Reason != "" {
		run.event(ctx, -1, event.Stopped(why.Reason, why.Message))
	}
}

// beginKill begins to end a container. Source:
// kubeGenericRuntimeManager.killContainer in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
func (r *Reconciler) beginKill(ctx context.Context, run *podRun, i int, why podstate.KillReason, message string, now time.Time) {
	c, spec := &run.Containers[i], run.Spec(run.pod, i)
	c.Kill = &podstate.Killing{Reason: why, Since: now, Begun: now, Grace: podstate.Grace(run.pod, spec, why)}
	if run.Stop != nil {
		c.Kill.Since = run.Stop.Since
		if run.Stop.Reason == event.Evicted {
			c.Kill.Grace = min(c.Kill.Grace, eviction.Grace)
		}
	}
	run.event(ctx, i, event.Killing(message))
	if spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil && c.Kill.Grace > 0 {
		c.Kill.PreStop = r.runHook(run, i, spec.Lifecycle.PreStop, now)
		run.collect(i, now)
	}
}

// killEvent is the Killing Event of container i.
func killEvent(run *podRun, i int, why podstate.KillReason) string {
	if why != "" {
		return killMessage(run.pod, &run.State, i, why)
	}
	return event.StoppingMessage(run.Containers[i].Name)
}

// hastenKill leaves a container that is being ended less time: the Pod was
// deleted, or deleted once more with a shorter grace period.
func (run *podRun) hastenKill(i int, now time.Time) {
	k := run.Containers[i].Kill
	k.Since, k.Grace = now, podstate.Grace(run.pod, run.Spec(run.pod, i), k.Reason)
	if deadline := engine.After(now, k.Left(now)); !k.Term.IsZero() && deadline.Before(k.Deadline) {
		k.Deadline = deadline
	}
}

// endPreStop has the preStop hook ended.
func (run *podRun) endPreStop(ctx context.Context, i int) {
	k := run.Containers[i].Kill
	if k.PreStop.Error != "" {
		run.event(ctx, i, event.FailedPreStopHook())
	}
	k.PreStop, run.parts[i].hook = nil, nil
}

// terminate asks a container to end, with the signal that its image names.
func (run *podRun) terminate(i int, now time.Time) {
	k := run.Containers[i].Kill
	k.Term, k.Deadline = now, engine.After(now, k.Left(now))
	run.Containers[i].Current.Term = now
	run.parts[i].process.Signal(run.parts[i].process.StopSignal(), now)
	run.collect(i, now)
}

// kill ends a container.
func (run *podRun) kill(i int, now time.Time) {
	run.parts[i].process.Signal(kernel.SIGKILL, now)
	run.collect(i, now)
	if run.Containers[i].Activity == podstate.Running {
		run.ended(i, now, podstate.ExitKilled, podstate.ReasonError)
	}
}

// finish takes the sandbox down. The logs stay until the Pod is deleted.
func (run *podRun) finish() {
	run.count(false)
	run.Finished = true
	if run.Sandbox != podstate.NoSandbox {
		run.Sandbox = podstate.SandboxGone
	}
	run.volumes.Drop()
	run.volumes = nil
	run.dirty = true
}

// killMessage is the Killing Event of a container that cannot go on as it is. Source:
// computePodActions and
// computeInitContainerActions.
func killMessage(pod *corev1.Pod, s *podstate.State, i int, why podstate.KillReason) string {
	what, name := "failed liveness probe", s.Containers[i].Name
	switch why {
	case podstate.RestartAll:
		return event.RestartAllMessage
	case podstate.ResizeRestart:
		return event.ResizeMessage(name)
	case podstate.StartupFailed:
		what = "failed startup probe"
	case podstate.DefinitionChanged:
		what = "definition changed"
	}
	return event.UnfitMessage(name, what, s.Containers[i].Role == podstate.Sidecar, s.RestartsKilled(pod, i, why))
}
