package recovery

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/kubesim-dev/kubesim/kubelet-sim/images"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// FromStatus makes the State of a Pod anew from its status, for a Pod of which there is no
// note. It reads nothing but its arguments.
//
// What a status does not hold is not restored: instances before the last two,
// another image that the last but one had, where a back-off of image pulls was,
// the fraction of the second at which an instance ended. A ConfigMap or Secret
// that has changed since is seen as it is now, and files that other Pods wrote
// to a shared volume are there in the order in which the Pods are taken over.
func FromStatus(pod *corev1.Pod, s *podstate.State, drawOf func(container string, attempt int32) podstate.Draw) {
	if pod.Status.StartTime != nil {
		s.StartTime = pod.Status.StartTime.Time
	}
	if pod.Status.PodIP != "" {
		s.Sandbox, s.IP = podstate.SandboxReady, pod.Status.PodIP
	}
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
	for i := range s.Containers {
		c := &s.Containers[i]
		j := slices.IndexFunc(statuses, func(st corev1.ContainerStatus) bool { return st.Name == c.Name })
		if j < 0 {
			continue
		}
		restoreContainer(c, &statuses[j], drawOf)
		restoreImage(c, s.Spec(pod, i), statuses[j].Image)
		restoreResize(s, pod, c, i, &statuses[j])
		if c.Current != nil {
			s.Sandbox = podstate.SandboxReady
		}
	}
}

func restoreContainer(c *podstate.Container, st *corev1.ContainerStatus, drawOf func(container string, attempt int32) podstate.Draw) {
	last := restoreInstance(c.Name, st.LastTerminationState.Terminated, st, st.RestartCount-1, drawOf)
	switch {
	case st.State.Running != nil:
		d := drawOf(c.Name, st.RestartCount)
		c.Current = &podstate.Instance{
			ID: st.ContainerID, Attempt: st.RestartCount, Image: st.Image, ImageID: st.ImageID, User: st.User,
			StartedAt: d.Exactly(st.State.Running.StartedAt.Time),
		}
		c.Last, c.Activity, c.Ready = last, podstate.Running, st.Ready
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
func restoreInstance(name string, t *corev1.ContainerStateTerminated, st *corev1.ContainerStatus, attempt int32, drawOf func(string, int32) podstate.Draw) *podstate.Instance {
	switch {
	case t != nil && t.Reason == podstate.ReasonRestartingAll:
		return podstate.RemovedInstance(attempt)
	case t == nil || t.ContainerID == "":
		return nil
	}
	in := &podstate.Instance{
		ID: t.ContainerID, Attempt: attempt, Image: st.Image, ImageID: st.ImageID, User: st.User, Exited: true,
		FinishedAt: t.FinishedAt.UTC(), Rough: true, ExitCode: t.ExitCode, Reason: t.Reason, Message: t.Message,
		StartedAt: t.StartedAt.UTC(),
	}
	if t.Reason != podstate.ReasonStartError {
		in.StartedAt = drawOf(name, attempt).Exactly(t.StartedAt.Time)
	}
	return in
}

// restoreBackOff reads the wait from the waiting message, or counts the
// restarts.
func restoreBackOff(c *podstate.Container) podstate.BackOff {
	b := podstate.BackOff{Updated: c.Current.StartedAt}
	var text string
	if _, err := fmt.Sscanf(c.Message, "back-off %s restarting", &text); err == nil {
		if delay, err := time.ParseDuration(text); err == nil {
			b.Delay = delay
			return b
		}
	}
	b.Delay = podstate.BackOffMax
	if n := c.Current.Attempt - 1; n < 5 {
		b.Delay = min(podstate.BackOffStart<<n, podstate.BackOffMax)
	}
	return b
}

// restoreImage takes the image of the latest attempt over from a status: the spec's, if it
// can be that.
func restoreImage(c *podstate.Container, spec *corev1.Container, image string) {
	if images.Parse(spec.Image).Full == image {
		image = spec.Image
	}
	c.Image = image
	if c.Current != nil {
		c.Current.SpecImage = image
	}
}

// restoreResize takes over a resize that was not complete when the kubelet was
// last there, from the Pod's status.
func restoreResize(s *podstate.State, pod *corev1.Pod, c *podstate.Container, i int, st *corev1.ContainerStatus) {
	if c.Role == podstate.Ephemeral || st.Resources == nil || apiequality.Semantic.DeepEqual(*st.Resources, s.Spec(pod, i).Resources) {
		return
	}
	c.Allocated = st.Resources.DeepCopy()
	s.Resize = &podstate.Resizing{Judge: true}
}

// TakeKnown takes over what a status does not tell of the instances that both know of:
// what scripts had them do, their images, when exactly they ended.
func TakeKnown(s, from *podstate.State) {
	for i := range s.Containers {
		if i >= len(from.Containers) {
			return
		}
		for _, in := range []*podstate.Instance{s.Containers[i].Last, s.Containers[i].Current} {
			for _, known := range []*podstate.Instance{from.Containers[i].Last, from.Containers[i].Current} {
				if in != nil && known != nil && in.ID == known.ID {
					*in = *known
				}
			}
		}
	}
}
