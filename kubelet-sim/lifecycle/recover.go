package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// replay starts what a status says that ran, at the instants at which it was
// started, with the same seeds, and lets it come up to now: so the logs and the
// files come back, and the programs that still run go on where they were.
func (r *Reconciler) replay(run *podRun, now time.Time) {
	if !run.apart && run.Sandbox != podstate.SandboxStarting && run.Sandbox != podstate.SandboxReady {
		return
	}
	run.replaying, run.account.Replaying = true, true
	defer func() { run.replaying, run.account.Replaying = false, false }()
	_ = run.makeVolumes(r.storage, now) // it cannot fail while replaying
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
		for _, in := range []*podstate.Instance{c.Last, c.Current} {
			if in != nil && in.Reason != podstate.ReasonStartError && !in.Removed {
				all = append(all, replayed{in.StartedAt, i, func() { r.rerun(run, i, in, now) }})
			}
		}
		if c.Activity == podstate.Running {
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
	c, spec := run.Containers[i], run.Spec(run.pod, i)
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
func (r *Reconciler) rerun(run *podRun, i int, in *podstate.Instance, now time.Time) {
	c, hooks := &run.Containers[i], run.Spec(run.pod, i).Lifecycle
	log := r.cfg.Logs.NewLog(run.name.Namespace, run.name.Name, in.ID, run.account.Of(stats.Storage))
	d := podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, in.Attempt)
	spec, err := r.programSpec(run, i, in.SpecImage, d, in.StartedAt)
	var process cri.Process
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
		in.Exited, in.FinishedAt, in.ExitCode = true, now, podstate.ExitKilled
		in.Reason, in.Message = podstate.ReasonStatusUnknown, podstate.NotLocatedMessage
		c.Activity, run.dirty = podstate.Idle, true
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
func runToEnd(process cri.Process, in *podstate.Instance) {
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
func runUntil(process cri.Process, end time.Time) {
	for range resumesMax {
		state := process.State()
		if state.Exited || state.WakeAt.IsZero() || state.WakeAt.After(end) {
			return
		}
		process.Resume(state.WakeAt)
	}
}
