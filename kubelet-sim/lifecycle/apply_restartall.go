package lifecycle

import "github.com/kubesim-dev/kubesim/kubelet-sim/podstate"

// removeAll forgets what the Pod's containers have done, but how often they were
// started.
func (r *Reconciler) removeAll(run *podRun) {
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Role == podstate.Ephemeral {
			continue
		}
		c.Stage, c.Reason, c.Message, c.Blocked, c.Killed, c.PostStart = podstate.Idle, "", "", false, false, nil
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
