package podstate

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Restore makes the state of a Pod anew from its status. It reads nothing but
// its arguments.
//
// What a status does not hold is not restored: instances before the last two,
// another image that the last but one had, where a back-off of image pulls was,
// the fraction of the second at which an instance ended. A ConfigMap or Secret
// that has changed since is seen as it is now, and files that other Pods wrote
// to a shared volume are there in the order in which the Pods are taken over.
func Restore(pod *corev1.Pod, s *State, drawOf func(container string, attempt int32) Draw) {
	if pod.Status.StartTime != nil {
		s.StartTime = pod.Status.StartTime.Time
	}
	if pod.Status.PodIP != "" {
		s.Sandbox, s.IP = SandboxReady, pod.Status.PodIP
	}
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
	for i := range s.Containers {
		c := &s.Containers[i]
		j := slices.IndexFunc(statuses, func(st corev1.ContainerStatus) bool { return st.Name == c.Name })
		if j < 0 {
			continue
		}
		restoreContainer(c, &statuses[j], drawOf)
		c.restoreImage(s.Spec(pod, i), statuses[j].Image)
		s.restoreResize(pod, c, i, &statuses[j])
		if c.Current != nil {
			s.Sandbox = SandboxReady
		}
	}
}

func restoreContainer(c *Container, st *corev1.ContainerStatus, drawOf func(container string, attempt int32) Draw) {
	last := restoreInstance(c.Name, st.LastTerminationState.Terminated, st, st.RestartCount-1, drawOf)
	switch {
	case st.State.Running != nil:
		d := drawOf(c.Name, st.RestartCount)
		c.Current = &Instance{
			ID: st.ContainerID, Attempt: st.RestartCount, Image: st.Image, ImageID: st.ImageID, User: st.User,
			StartedAt: d.exactly(st.State.Running.StartedAt.Time),
		}
		c.Last, c.Activity, c.Ready = last, Running, st.Ready
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
func restoreInstance(name string, t *corev1.ContainerStateTerminated, st *corev1.ContainerStatus, attempt int32, drawOf func(string, int32) Draw) *Instance {
	switch {
	case t != nil && t.Reason == ReasonRestartingAll:
		return RemovedInstance(attempt)
	case t == nil || t.ContainerID == "":
		return nil
	}
	in := &Instance{
		ID: t.ContainerID, Attempt: attempt, Image: st.Image, ImageID: st.ImageID, User: st.User, Exited: true,
		FinishedAt: t.FinishedAt.UTC(), Rough: true, ExitCode: t.ExitCode, Reason: t.Reason, Message: t.Message,
		StartedAt: t.StartedAt.UTC(),
	}
	if t.Reason != ReasonStartError {
		in.StartedAt = drawOf(name, attempt).exactly(t.StartedAt.Time)
	}
	return in
}

// restoreBackOff reads the wait from the waiting message, or counts the
// restarts.
func restoreBackOff(c *Container) BackOff {
	b := BackOff{Updated: c.Current.StartedAt}
	var text string
	if _, err := fmt.Sscanf(c.Message, "back-off %s restarting", &text); err == nil {
		if delay, err := time.ParseDuration(text); err == nil {
			b.Delay = delay
			return b
		}
	}
	b.Delay = BackOffMax
	if n := c.Current.Attempt - 1; n < 5 {
		b.Delay = min(BackOffStart<<n, BackOffMax)
	}
	return b
}

// TakeKnown takes over what a status does not tell of the instances that both know of:
// what scripts had them do, their images, when exactly they ended.
func (s *State) TakeKnown(from *State) {
	for i := range s.Containers {
		if i >= len(from.Containers) {
			return
		}
		for _, in := range []*Instance{s.Containers[i].Last, s.Containers[i].Current} {
			for _, known := range []*Instance{from.Containers[i].Last, from.Containers[i].Current} {
				if in != nil && known != nil && in.ID == known.ID {
					*in = *known
				}
			}
		}
	}
}
