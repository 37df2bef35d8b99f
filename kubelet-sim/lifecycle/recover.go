package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// restore makes the state of a Pod anew from its status. It reads nothing but
// its arguments.
//
// What a status does not hold is not restored: instances before the last two,
// where a back-off of image pulls was, the fraction of the second at which an
// instance ended. A ConfigMap or Secret that has changed since is seen as it
// is now, and files that other Pods wrote to a shared volume are there in the
// order in which the Pods are taken over.
func restore(pod *corev1.Pod, s *podState, drawOf func(container string, attempt int32) draw) {
	if pod.Status.StartTime != nil {
		s.StartTime = pod.Status.StartTime.Time
	}
	if pod.Status.PodIP != "" {
		s.Sandbox, s.IP = sandboxReady, pod.Status.PodIP
	}
	statuses := append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...)
	for i := range s.Containers {
		c := &s.Containers[i]
		j := slices.IndexFunc(statuses, func(st corev1.ContainerStatus) bool { return st.Name == c.Name })
		if j < 0 {
			continue
		}
		restoreContainer(c, &statuses[j], drawOf)
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
	if t == nil || t.ContainerID == "" {
		return nil
	}
	in := &instance{
		ID: t.ContainerID, Attempt: attempt, Image: st.Image, ImageID: st.ImageID, User: st.User, Exited: true,
		FinishedAt: t.FinishedAt.UTC(), ExitCode: t.ExitCode, Reason: t.Reason, Message: t.Message,
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
	run.replaying = true
	defer func() { run.replaying = false }()
	_ = r.makeVolumes(run, now) // it cannot fail while replaying
	for _, one := range replays(&run.podState) {
		run.advance(one.instance.StartedAt)
		r.rerun(run, one, now)
	}
	run.advance(now)
}

// rerunOf is an instance of a container that is to run once more.
type rerunOf struct {
	container int
	instance  *instance
}

// replays are the instances in the order of their starts.
func replays(s *podState) []rerunOf {
	var all []rerunOf
	for i := range s.Containers {
		for _, in := range []*instance{s.Containers[i].Last, s.Containers[i].Current} {
			if in != nil && in.Reason != startErrorReason {
				all = append(all, rerunOf{i, in})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b rerunOf) int {
		return cmp.Or(a.instance.StartedAt.Compare(b.instance.StartedAt), cmp.Compare(a.container, b.container))
	})
	return all
}

// rerun starts one instance again. One that has ended runs to its end at once.
func (r *Reconciler) rerun(run *podRun, one rerunOf, now time.Time) {
	c, in := &run.Containers[one.container], one.instance
	log := r.cfg.Logs.NewLog(run.name.Namespace, run.name.Name, in.ID)
	d := draw{r.cfg.Engine.Random(), run.pod, c.Name, in.Attempt}
	spec, err := r.programSpec(run, one.container, d, in.StartedAt)
	var process Process
	if err == nil {
		spec.Output = func(chunk kernel.Chunk) { log.Append(chunk.At, chunk.Stderr, chunk.Data) }
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
		runToEnd(process, in)
		process.Close()
		log.End(in.FinishedAt)
	default:
		run.parts[one.container] = part{process: process, log: log}
		run.collect(one.container, in.StartedAt)
		r.startProbing(run, one.container)
	}
}

// runToEnd lets a program run until it ends, or until its instance did.
func runToEnd(process Process, in *instance) {
	end := in.FinishedAt.Add(time.Second) // the status has no fraction
	for range resumesMax {
		state := process.State()
		if state.Exited || state.WakeAt.IsZero() || state.WakeAt.After(end) {
			return
		}
		process.Resume(state.WakeAt)
	}
}
