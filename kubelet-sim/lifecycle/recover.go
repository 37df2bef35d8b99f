package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/recovery"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// replay starts what ran, by the State, at the same instants and with the same seeds, and
// lets it come up to now. So logs and files come back, and programs that still run go on
// where they were.
func (r *Reconciler) replay(run *podRun, now time.Time) {
	if !run.apart && !recovery.Replays(&run.State) {
		return
	}
	run.replaying, run.account.Replaying = true, true
	defer func() { run.replaying, run.account.Replaying = false, false }()
	_ = run.makeVolumes(r.storage, now) // it cannot fail while replaying
	for _, step := range recovery.Steps(run.pod, &run.State) {
		run.advance(step.At)
		r.repeat(run, step, now)
	}
	run.advance(now)
}

// repeat takes one step once more.
func (r *Reconciler) repeat(run *podRun, step recovery.Step, now time.Time) {
	i := step.Container
	if step.Verb == recovery.Start {
		r.rerun(run, i, step.Instance, now)
		return
	}
	process := run.parts[i].process
	if process == nil {
		return
	}
	switch step.Verb {
	case recovery.Check:
		r.openCheck(run, i, step.Probe, step.At)
	case recovery.PreStop:
		r.runHook(run, i, run.Spec(run.pod, i).Lifecycle.PreStop, step.At)
	case recovery.Terminate:
		process.Signal(process.StopSignal(), step.At)
	}
	if run.parts[i].process != nil { // the check may have looked at its end
		run.collect(i, step.At)
	}
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
		recovery.NotLocated(c, in, now)
		run.dirty = true
		log.End(now)
	case in.Exited:
		if hooks != nil && hooks.PostStart != nil && hooks.PostStart.Exec != nil {
			_, _ = process.Exec(program.ExecSpec{Command: hooks.PostStart.Exec.Command}, in.StartedAt) // for what it does
		}
		recovery.RunToEnd(process, in)
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
