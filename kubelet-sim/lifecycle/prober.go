package lifecycle

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kubeprobe "k8s.io/kubernetes/pkg/probe"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/environment"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/hook"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/request"
)

// A probe has a key of its own, pod/container/type: its checks are of another
// kind than the Pod's own steps, and one key has one wake.

// check is a check under way.
type check struct {
	// command runs; nil if the check only waits for its deadline.
	command *hook.Command
	// timedOut is what the check says when its deadline has come.
	timedOut string
}

// startProbing begins with the probes of an instance, from now on.
func (r *Reconciler) startProbing(run *podRun, i int, now time.Time) {
	c, spec := &run.Containers[i], run.Spec(run.pod, i)
	if c.Activity != podstate.Running || c.Role == podstate.Initializer || c.Role == podstate.Ephemeral {
		return
	}
	c.Probes = prober.New(spec, c.Current.StartedAt, run.StartTime)
	if run.readyByScript(i) {
		c.Probes = slices.DeleteFunc(c.Probes, func(p prober.State) bool { return p.Type == prober.Readiness })
	}
	for j := range c.Probes {
		p := &c.Probes[j]
		p.Next = prober.NextTick(prober.Of(spec, p.Type), p.Next, now)
	}
	r.pokeProbes(run, i)
}

// resumeProbing goes on with the probes of an instance that was run again after
// the server had stopped: from where they were if that is remembered, otherwise from the start.
func (r *Reconciler) resumeProbing(run *podRun, i int, now time.Time) {
	c := &run.Containers[i]
	if len(c.Probes) > 0 || c.PostStart != nil {
		r.pokeProbes(run, i)
		return
	}
	r.startProbing(run, i, now)
	for j := range c.Probes {
		c.Probes[j].Over = c.Probes[j].Type == prober.Startup && c.Started
	}
}

func (r *Reconciler) pokeProbes(run *podRun, i int) {
	c := &run.Containers[i]
	run.parts[i].checks = make([]*check, len(c.Probes))
	for j := range c.Probes {
		r.cfg.Engine.Poke(r.probeKey(run, i, c.Probes[j].Type))
	}
}

// endProbing takes the timers of probes away whose containers no longer run: auto mode would
// advance the clock to them.
func (r *Reconciler) endProbing(run *podRun) {
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Activity == podstate.Running || len(c.Probes) == 0 {
			continue
		}
		for j := range c.Probes {
			r.cfg.Engine.Poke(r.probeKey(run, i, c.Probes[j].Type))
		}
		c.Probes = nil
	}
}

// splitProbe splits the name of a probe's key.
func splitProbe(name string) (pod, container, probe string) {
	pod, rest, _ := strings.Cut(name, "/")
	container, probe, _ = strings.Cut(rest, "/")
	return pod, container, probe
}

// reconcileProbe takes one step of a probe.
func (r *Reconciler) reconcileProbe(ctx context.Context, namespace, pod, container, which string, now time.Time) engine.Wake {
	run := r.runs[types.NamespacedName{Namespace: namespace, Name: pod}]
	if run == nil || r.unreachable(run.node.Name) {
		return engine.Wake{}
	}
	i := slices.IndexFunc(run.Containers, func(c podstate.Container) bool { return c.Name == container })
	if i < 0 {
		return engine.Wake{}
	}
	run.advance(now)
	r.cfg.Engine.Touch(r.key(run.name)) // the probe's state is remembered with the Pod's
	defer r.pokeIfStirred(run)
	for {
		c := &run.Containers[i]
		j := slices.IndexFunc(c.Probes, func(p prober.State) bool { return strings.EqualFold(string(p.Type), which) })
		if c.Activity != podstate.Running || j < 0 || run.Stop != nil && c.Probes[j].Type != prober.Readiness {
			return engine.Wake{} // a new instance starts over
		}
		if r.checkEnded(ctx, run, i, j) {
			continue
		}
		what, wake := prober.Decide(prober.Of(run.Spec(run.pod, i), c.Probes[j].Type), prober.Container{Started: c.Started, Ready: c.Ready, Attempt: c.Current.Attempt}, &c.Probes[j], now)
		switch what {
		case prober.BeginCheck:
			r.beginCheck(ctx, run, i, j, now)
		case prober.CheckTimedOut:
			r.giveUpCheck(ctx, run, i, j, now)
		default:
			if run.parts[i].checks[j] != nil && !c.WakeAt.IsZero() && c.WakeAt.Before(wake.At) {
				wake.At = c.WakeAt
			}
			return wake
		}
	}
}

func (r *Reconciler) pokeIfStirred(run *podRun) {
	if run.dirty || run.stirred {
		r.cfg.Engine.Poke(r.key(run.name))
	}
}

// checkEnded looks whether the command of a check has ended.
func (r *Reconciler) checkEnded(ctx context.Context, run *podRun, i, j int) bool {
	k := run.parts[i].checks[j]
	if k == nil || k.command == nil {
		return false
	}
	code, ended := k.command.Exited()
	if !ended {
		return false
	}
	got := request.Result{Result: kubeprobe.Success, Output: k.command.Output()}
	if code != 0 {
		got.Result = kubeprobe.Failure
	}
	r.checkResult(ctx, run, i, j, got)
	return true
}

// giveUpCheck ends a check that has taken too long.
func (r *Reconciler) giveUpCheck(ctx context.Context, run *podRun, i, j int, now time.Time) {
	k := run.parts[i].checks[j]
	if k.command != nil {
		k.command.Signal(kernel.SIGKILL, now)
		run.collect(i, now)
	}
	if run.Containers[i].Activity == podstate.Running {
		r.checkResult(ctx, run, i, j, request.Result{Result: kubeprobe.Failure, Output: k.timedOut})
	}
}

// checkResult takes the result of a check over. Source: prober.probe and
// worker.doProbe in k8s.io/kubernetes pkg/kubelet/prober v1.37.2.
func (r *Reconciler) checkResult(ctx context.Context, run *podRun, i, j int, got request.Result) {
	c, spec := &run.Containers[i], run.Spec(run.pod, i)
	p := &c.Probes[j]
	probe := prober.Of(spec, p.Type)
	run.parts[i].checks[j] = nil
	switch {
	case got.Err != nil:
		run.event(ctx, i, event.ProbeErrored(string(p.Type), string(got.Result), got.Err))
		p.Checked(probe)
		return
	case got.Result == kubeprobe.Warning:
		run.event(ctx, i, event.ProbeWarning(string(p.Type), got.Output))
	case got.Result == kubeprobe.Failure:
		run.event(ctx, i, event.Unhealthy(string(p.Type), got.Output))
	}
	at := p.Next
	if !p.Judge(probe, got.Result != kubeprobe.Failure) || !c.Hold(p) {
		return
	}
	run.dirty, run.stirred = run.dirty || c.Unhealthy == "", true
	if p.Type == prober.Startup && c.Started {
		r.startOthers(run, i, at)
	}
}

// startOthers lets the probes begin that have waited for the startup probe: the
// readiness probe at once, as kubelet asks it for the status that says Started.
func (r *Reconciler) startOthers(run *podRun, i int, now time.Time) {
	c, spec := &run.Containers[i], run.Spec(run.pod, i)
	for j := range c.Probes {
		p := &c.Probes[j]
		if p.Type == prober.Startup {
			continue
		}
		if p.Type == prober.Liveness || p.Next.Before(now) {
			p.Next = now
			if p.Type == prober.Liveness {
				p.Next = prober.NextTick(spec.LivenessProbe, prober.FirstCheck(spec.LivenessProbe, c.Current.StartedAt, run.StartTime), now.Add(1))
			}
		}
		r.cfg.Engine.Poke(r.probeKey(run, i, p.Type))
	}
}

// beginCheck asks the program.
func (r *Reconciler) beginCheck(ctx context.Context, run *podRun, i, j int, now time.Time) {
	p := &run.Containers[i].Probes[j]
	probe := prober.Of(run.Spec(run.pod, i), p.Type)
	if now.Sub(p.Next) > time.Duration(max(probe.PeriodSeconds, 1))*time.Second {
		p.Next = now // the server was away
	}
	if got, answered := r.openCheck(run, i, j, now); answered {
		r.checkResult(ctx, run, i, j, got)
		return
	}
	p.Deadline = engine.After(now, prober.TimeoutOf(probe))
}

// openCheck begins a check. answered is false if it is under way.
func (r *Reconciler) openCheck(run *podRun, i, j int, now time.Time) (got request.Result, answered bool) {
	spec := run.Spec(run.pod, i)
	probe := prober.Of(spec, run.Containers[i].Probes[j].Type)
	k := &check{}
	if probe.Exec == nil {
		if got, answered = run.target(i).Check(probe, prober.TimeoutOf(probe), now); answered {
			return got, true
		}
		k.timedOut = got.Output
	} else {
		command, err := r.runCommand(run, i, environment.ExpandStatic(probe.Exec.Command, spec), now)
		if err != nil {
			return request.Result{Result: kubeprobe.Unknown, Err: err}, true
		}
		k.command = command
		k.timedOut = command.TimedOut(prober.TimeoutOf(probe))
	}
	run.parts[i].checks[j] = k
	run.collect(i, now)
	return request.Result{}, false
}
