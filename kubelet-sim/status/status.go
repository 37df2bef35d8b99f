// Package status turns what a kubelet knows of a Pod into the status that it reports:
// phase, conditions, the states of containers.
//
// Invariant: Of reads nothing but its arguments. What others own in the status of before
// stays as it is. Source: Kubelet.generateAPIPodStatus in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
package status

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Of returns the Pod's status as the kubelet reports it. It reads nothing
// but its arguments. Source: Kubelet.generateAPIPodStatus in k8s.io/kubernetes
// pkg/kubelet v1.37.2.
func Of(pod *corev1.Pod, s *podstate.State, now time.Time) corev1.PodStatus {
	if s.Rejected != nil {
		return rejected(pod, s)
	}
	p := phase(s)
	if old := pod.Status.Phase; old == corev1.PodSucceeded || old == corev1.PodFailed {
		p = old // no Pod leaves a terminal phase
	}
	started := podstate.Seconds(s.StartTime)
	out := pod.Status // keeps what others own: QOSClass, claims, resize
	out.Phase = p
	if p != pod.Status.Phase {
		out.Reason, out.Message = "", ""
	}
	if s.Finished && s.Stop != nil && s.Stop.Reason != "" && p == corev1.PodFailed {
		out.Reason, out.Message = s.Stop.Reason, s.Stop.Message
	}
	out.ObservedGeneration = pod.Generation
	out.Conditions = conditions(pod, s, p, now)
	out.HostIP, out.HostIPs = s.HostIP, []corev1.HostIP{{IP: s.HostIP}}
	if s.IP != "" {
		out.PodIP, out.PodIPs = s.IP, []corev1.PodIP{{IP: s.IP}}
	}
	out.StartTime = &started
	out.AllocatedResources = allocated(pod)
	containerStatuses(pod, s, &out)
	return out
}

// rejected is the status of a Pod that may not run on its node. Source:
// Kubelet.rejectPod in k8s.io/kubernetes pkg/kubelet v1.37.2.
func rejected(pod *corev1.Pod, s *podstate.State) corev1.PodStatus {
	started := podstate.Seconds(s.StartTime)
	out := pod.Status
	out.Phase, out.Reason, out.Message = corev1.PodFailed, s.Rejected.Reason, "Pod was rejected: "+s.Rejected.Message
	out.StartTime, out.ObservedGeneration = &started, pod.Generation
	return out
}

// allocated is what the Pod asks for, nil for nothing.
func allocated(pod *corev1.Pod) corev1.ResourceList {
	if !admission.Asked(pod) {
		return nil
	}
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
}

func containerStatuses(pod *corev1.Pod, s *podstate.State, out *corev1.PodStatus) {
	out.InitContainerStatuses, out.ContainerStatuses, out.EphemeralContainerStatuses = nil, nil, nil
	for i := range s.Containers {
		list := &out.InitContainerStatuses
		switch s.Containers[i].Role {
		case podstate.Regular:
			list = &out.ContainerStatuses
		case podstate.Ephemeral:
			list = &out.EphemeralContainerStatuses
		}
		*list = append(*list, containerStatus(pod, s, i))
	}
	byName := func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(out.ContainerStatuses, byName)
	slices.SortFunc(out.EphemeralContainerStatuses, byName)
}

// containerStatus describes one container. Source:
// Kubelet.convertToAPIContainerStatuses in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func containerStatus(pod *corev1.Pod, s *podstate.State, i int) corev1.ContainerStatus {
	c, spec := &s.Containers[i], s.Spec(pod, i)
	started := c.Up() && c.Started
	out := corev1.ContainerStatus{
		Name: c.Name, Image: spec.Image, Started: &started,
		Ready:        started && c.Ready && c.Role != podstate.Initializer,
		VolumeMounts: mountStatuses(spec),
	}
	if c.Role == podstate.Ephemeral {
		out.Ready, out.Started = false, nil
	}
	if c.Last != nil {
		out.LastTerminationState.Terminated = Terminated(c.Last)
	}
	now := c.Current
	if c.PostStart != nil {
		now = c.Last // the instance does not count yet
	}
	if now == nil {
		out.State = neverStarted(pod, s, i)
		return out
	}
	if now.Removed {
		out.RestartCount = now.Attempt + 1
		out.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.Reason, Message: c.Message}
		out.LastTerminationState.Terminated = Terminated(now)
		return out
	}
	out.RestartCount, out.ImageID, out.ContainerID = now.Attempt, now.ImageID, now.ID
	out.Image = now.Image
	out.Resources, out.AllocatedResources = &spec.Resources, spec.Resources.Requests
	if c.Actual != nil && c.Activity == podstate.Running {
		out.Resources = c.Actual
	}
	out.User = now.User
	switch {
	case !now.Exited || c.Killed:
		out.State.Running = &corev1.ContainerStateRunning{StartedAt: podstate.Seconds(now.StartedAt)}
	case c.Reason != "" && s.Stop == nil && (c.PostStart != nil || s.Restarts(pod, i)):
		out.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.Reason, Message: c.Message}
		out.LastTerminationState.Terminated = Terminated(now)
	default:
		out.State.Terminated = Terminated(now)
		out.Ready = c.Role == podstate.Initializer && now.ExitCode == 0
	}
	return out
}

// neverStarted is the state of a container without an instance. Once the Pod
// is finished it counts as failed, see manager.TerminatePod in
// k8s.io/kubernetes pkg/kubelet/status v1.37.2.
func neverStarted(pod *corev1.Pod, s *podstate.State, i int) corev1.ContainerState {
	c := &s.Containers[i]
	if s.Finished && (len(pod.Spec.InitContainers) == 0 || i == 0 || c.Role == podstate.Regular && allInitDone(s)) {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: podstate.ExitKilled, Reason: podstate.ReasonStatusUnknown, Message: podstate.NotLocatedMessage,
		}}
	}
	waiting := &corev1.ContainerStateWaiting{Reason: c.Reason, Message: c.Message}
	if waiting.Reason == "" {
		waiting.Reason = podstate.ReasonCreating
		if len(pod.Spec.InitContainers) > 0 {
			waiting.Reason = podstate.ReasonInitializing
		}
	}
	return corev1.ContainerState{Waiting: waiting}
}

func allInitDone(s *podstate.State) bool {
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == podstate.Initializer && (!c.Exited() || c.Current.ExitCode != 0) {
			return false
		}
	}
	return true
}

// Terminated is the state of a container whose instance has ended.
func Terminated(in *podstate.Instance) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		ExitCode: in.ExitCode, Reason: in.Reason, Message: in.Message, ContainerID: in.ID,
		StartedAt: podstate.Seconds(in.StartedAt), FinishedAt: podstate.Seconds(in.FinishedAt),
	}
}

func mountStatuses(spec *corev1.Container) []corev1.VolumeMountStatus {
	if len(spec.VolumeMounts) == 0 {
		return nil
	}
	out := make([]corev1.VolumeMountStatus, 0, len(spec.VolumeMounts))
	for _, m := range spec.VolumeMounts {
		one := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			disabled := corev1.RecursiveReadOnlyDisabled
			one.RecursiveReadOnly = &disabled
		}
		out = append(out, one)
	}
	return out
}
