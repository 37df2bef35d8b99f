package lifecycle

import (
	"context"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/decide"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
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

func (r *Reconciler) backOffRestart(ctx context.Context, run *podRun, i int) {
	c := &run.Containers[i]
	c.Reason, c.Killed = podstate.ReasonCrashLoopBackOff, false
	c.Message = "back-off " + c.BackOff.Delay.String() + " restarting failed container=" + c.Name + " pod=" + podstate.PodTitle(run.pod)
	run.dirty = true
	run.event(ctx, i, event.RestartBackOff(c.Name, podstate.PodTitle(run.pod)))
}
