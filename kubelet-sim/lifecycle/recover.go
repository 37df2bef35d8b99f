package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// restore makes the state of a Pod anew from its status. It reads nothing but
// its arguments.
//
// What a status does not hold is not restored: instances before the last two,
// another image that the last but one had, where a back-off of image pulls was,
// the fraction of the second at which an instance ended. A ConfigMap or Secret
// that has changed since is seen as it is now, and files that other Pods wrote
// to a shared volume are there in the order in which the Pods are taken over.
func restore(pod *corev1.Pod, s *podState, drawOf func(container string, attempt int32) draw) {
	if pod.Status.StartTime != nil {
		s.StartTime = pod.Status.StartTime.Time
	}
	if pod.Status.PodIP != "" {
		s.Sandbox, s.IP = sandboxReady, pod.Status.PodIP
	}
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
	for i := range s.Containers {
		c := &s.Containers[i]
		j := slices.IndexFunc(statuses, func(st corev1.ContainerStatus) bool { return st.Name == c.Name })
		if j < 0 {
			continue
		}
		restoreContainer(c, &statuses[j], drawOf)
		c.restoreImage(s.spec(pod, i), statuses[j].Image)
		s.restoreResize(pod, c, i, &statuses[j])
		if c.Current != nil {
			s.Sandbox = sandboxReady
		}
	}
}

func restoreContainer(c *containerState, st *corev1.ContainerStatus, drawOf func(container string, attempt int32) draw) {
	last := restoreInstance(c.Name, st.LastTerminationState.Terminated, st, st.RestartCount-1, drawOf)
	switch {
	case st.State.Running != nil:
		d := drawOf(c.Name, st.RestartCount)
		c.Current = &instance{
			ID: st.ContainerID, Attempt: st.RestartCount, Image: st.Image, ImageID: st.ImageID, User: st.User,
			StartedAt: d.exactly(st.State.Running.StartedAt.Time),
		}
		c.Last, c.Stage, c.Ready = last, running, st.Ready
		c.Started = st.Started == nil || *st.Started
	case st.State.Terminated != nil && st.State.Terminated.ContainerID != "":
		c.Current = restoreInstance(c.Name, st.State.Terminated, st, st.RestartCount, drawOf)
		c.Last = last
	case st.State.Waiting != nil && last != nil:
		c.Current = restoreInstance(c.Name, st.LastTerminationState.Terminated, st, st.RestartCount, drawOf)
		c.Reason, c.Message = st.State.Waiting.Reason, st.State.Waiting.Message
	}
	if c.Current != nil && c.Current.Attempt > 0 {
		c.BackOff = restoreBackOff(c)
	}
}

// restoreInstance returns nil if there was none.
func restoreInstance(name string, t *corev1.ContainerStateTerminated, st *corev1.ContainerStatus, attempt int32, drawOf func(string, int32) draw) *instance {
	switch {
	case t != nil && t.Reason == restartingAllContainers:
		return removedInstance(attempt)
	case t == nil || t.ContainerID == "":
		return nil
	}
	in := &instance{
		ID: t.ContainerID, Attempt: attempt, Image: st.Image, ImageID: st.ImageID, User: st.User, Exited: true,
		FinishedAt: t.FinishedAt.UTC(), Rough: true, ExitCode: t.ExitCode, Reason: t.Reason, Message: t.Message,
		StartedAt: t.StartedAt.UTC(),
	}
	if t.Reason != startErrorReason {
		in.StartedAt = drawOf(name, attempt).exactly(t.StartedAt.Time)
	}
	return in
}

// restoreBackOff reads the wait from the waiting message, or counts the
// restarts.
func restoreBackOff(c *containerState) backOff {
	b := backOff{Updated: c.Current.StartedAt}
	var text string
	if _, err := fmt.Sscanf(c.Message, "back-off %s restarting", &text); err == nil {
		if delay, err := time.ParseDuration(text); err == nil {
			b.Delay = delay
			return b
		}
	}
	b.Delay = backOffMax
	if n := c.Current.Attempt - 1; n < 5 {
		b.Delay = min(backOffStart<<n, backOffMax)
	}
	return b
}

// replay starts what a status says that ran, at the instants at which it was
// started, with the same seeds, and lets it come up to now: so the logs and the
// files come back, and the programs that still run go on where they were.
func (r *Reconciler) replay(run *podRun, now time.Time) {
	if !run.apart && run.Sandbox != sandboxStarting && run.Sandbox != sandboxReady {
		return
	}
	run.replaying, run.account.Replaying = true, true
	defer func() { run.replaying, run.account.Replaying = false, false }()
	_ = r.makeVolumes(run, now) // it cannot fail while replaying
	for _, one := range r.replays(run, now) {
		run.advance(one.at)
		one.do()
	}
	run.advance(now)
}

// replayed is something that happened to container i, which is to happen once
// more.
type replayed struct {
	at        time.Time
	container int
	do        func()
}

// replays are the starts of instances, and what the kubelet has told those that
// run still, in the order in which they happened.
func (r *Reconciler) replays(run *podRun, now time.Time) []replayed {
	var all []replayed
	for i := range run.Containers {
		c := &run.Containers[i]
		for _, in := range []*instance{c.Last, c.Current} {
			if in != nil && in.Reason != startErrorReason && !in.Removed {
				all = append(all, replayed{in.StartedAt, i, func() { r.rerun(run, i, in, now) }})
			}
		}
		if c.Stage == running {
			all = append(all, r.told(run, i)...)
		}
	}
	slices.SortStableFunc(all, func(a, b replayed) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.container, b.container))
	})
	return all
}

// told is what the kubelet has told the running instance of container i, as far
// as it has not ended yet: the checks under way, the preStop hook, SIGTERM.
func (r *Reconciler) told(run *podRun, i int) []replayed {
	var all []replayed
	add := func(at time.Time, do func()) {
		all = append(all, replayed{at, i, func() {
			if run.parts[i].process != nil {
				do()
				run.collect(i, at)
			}
		}})
	}
	c, spec := run.Containers[i], run.spec(run.pod, i)
	for j := range c.Probes {
		p := &c.Probes[j]
		if probe := prober.Of(spec, p.Type); probe != nil && !p.Deadline.IsZero() {
			begun := p.Deadline.Add(-prober.TimeoutOf(probe))
			add(begun, func() { r.openCheck(run, i, j, begun) })
		}
	}
	if k := c.Kill; k != nil {
		if spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil && k.Grace > 0 {
			add(k.Begun, func() { r.runHook(run, i, spec.Lifecycle.PreStop, k.Begun) })
		}
		if !k.Term.IsZero() {
			add(k.Term, func() { run.parts[i].process.Signal(run.parts[i].process.StopSignal(), k.Term) })
		}
	}
	return all
}

// rerun starts one instance again. One that has ended runs to its end at once.
func (r *Reconciler) rerun(run *podRun, i int, in *instance, now time.Time) {
	c, hooks := &run.Containers[i], run.spec(run.pod, i).Lifecycle
	log := r.cfg.Logs.NewLog(run.name.Namespace, run.name.Name, in.ID, run.account.Of(stats.Storage))
	d := draw{r.cfg.Engine.Random(), run.pod, c.Name, in.Attempt}
	spec, err := r.programSpec(run, i, in.SpecImage, d, in.StartedAt)
	var process Process
	var effects *script.Effects
	if err == nil {
		effects = scripted(&spec, in.Script, run.onStepAfter(i, in, now))
		spec.Output = run.outputAfter(i, log, in, now)
		process, err = r.cfg.Runtime.Start(spec, in.StartedAt)
	}
	switch {
	case err != nil && in.Exited:
		log.End(in.FinishedAt)
	case err != nil:
		in.Exited, in.FinishedAt, in.ExitCode = true, now, exitKilled
		in.Reason, in.Message = containerStatusUnknown, notLocatedMessage
		c.Stage, run.dirty = idle, true
		log.End(now)
	case in.Exited:
		if hooks != nil && hooks.PostStart != nil && hooks.PostStart.Exec != nil {
			_, _ = process.Exec(program.ExecSpec{Command: hooks.PostStart.Exec.Command}, in.StartedAt) // for what it does
		}
		runToEnd(process, in)
		process.Close()
		log.End(in.FinishedAt)
	default:
		run.parts[i] = part{process: process, log: log, effects: effects, root: spec.Root}
		r.startStats(run, i, d, in.StartedAt)
		if hooks != nil && hooks.PostStart != nil {
			r.runHook(run, i, hooks.PostStart, in.StartedAt)
		}
		run.collect(i, in.StartedAt)
		r.resumeProbing(run, i, now)
	}
	if spec.Root != nil && (err != nil || in.Exited) && run.parts[i].root != spec.Root {
		spec.Root.Release()
	}
}

// runToEnd lets a program run until it ends, or until its instance did.
func runToEnd(process Process, in *instance) {
	if !in.Term.IsZero() {
		runUntil(process, in.Term)
		if !process.State().Exited {
			process.Signal(process.StopSignal(), in.Term)
		}
	}
	end := in.FinishedAt
	if in.Rough {
		end = end.Add(time.Second)
	}
	runUntil(process, end)
}

// runUntil lets a program run until it ends, or waits for longer.
func runUntil(process Process, end time.Time) {
	for range resumesMax {
		state := process.State()
		if state.Exited || state.WakeAt.IsZero() || state.WakeAt.After(end) {
			return
		}
		process.Resume(state.WakeAt)
	}
}
