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

// askCertificates writes the requests that are due.
func (r *Reconciler) askCertificates(ctx context.Context, run *podRun, now time.Time) {
	r.certificates.Ask(ctx, run.pod, run.Certificates, now)
}

// removeAll forgets what the Pod's containers have done, but how often they were
// started.
func (r *Reconciler) removeAll(run *podRun) {
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Role == podstate.Ephemeral {
			continue
		}
		c.Activity, c.Reason, c.Message, c.Blocked, c.Killed, c.PostStart = podstate.Idle, "", "", false, false, nil
		if c.Current == nil {
			continue
		}
		for _, in := range []*podstate.Instance{c.Last, c.Current} {
			if in != nil {
				r.cfg.Logs.DropLog(run.name.Namespace, run.name.Name, in.ID)
			}
		}
		c.Reason, c.Message = podstate.ReasonRestartingAll, podstate.RemovedMessage
		c.Last, c.Current = nil, podstate.RemovedInstance(c.Current.Attempt)
	}
	run.dirty = true
}

// remount brings the Pod's volumes up to date. One that cannot be made any more
// keeps its files.
func (r *Reconciler) remount(ctx context.Context, run *podRun, now time.Time) {
	run.RemountAt = time.Time{}
	r.storage.Renew(run.owner(), run.volumes, now, func(err error) { run.event(ctx, -1, event.FailedMount(err)) })
}
