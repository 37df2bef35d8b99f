package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// A resize changes the resources of containers that exist. What the Pod's spec
// asks for is allocated when the node has room for it; then the runtime is told,
// and a second later it is seen to have done it. Source: pkg/kubelet/allocation,
// computePodResizeAction in pkg/kubelet/kuberuntime and Kubelet.SyncPod in
// k8s.io/kubernetes v1.37.2.
//
// Deviation: resources of the Pod as a whole (spec.resources) count at once.

// ResizeRestart is why a container ends whose resizePolicy asks for that.
const ResizeRestart KillReason = "Resize"

// Resizing is a resize that is not complete.
type Resizing struct {
	// Judge: it has to be seen whether the node has room. RetryAt is when else that
	// happens.
	Judge   bool      `json:",omitempty"`
	RetryAt time.Time `json:",omitzero"`
	// Pending and InProgress are the Pod's conditions; nil if it has none.
	Pending, InProgress *corev1.PodCondition `json:",omitempty"`
	// Told: the runtime was told what was allocated. LookAt is when the kubelet looks
	// at it again.
	Told   bool      `json:",omitempty"`
	LookAt time.Time `json:",omitzero"`
}

// unallocated reports whether the Pod's spec asks for other resources than it was
// given.
func (s *State) unallocated() bool {
	for i := range s.Containers {
		if s.Containers[i].Allocated != nil {
			return true
		}
	}
	return false
}

// AllocatedView is the Pod with the resources that it was given, which the kubelet
// goes by. It is pod itself where these are what the spec asks for.
func (s *State) AllocatedView(pod *corev1.Pod) *corev1.Pod {
	if !s.unallocated() {
		return pod
	}
	view := *pod
	view.Spec.InitContainers = append([]corev1.Container(nil), pod.Spec.InitContainers...)
	view.Spec.Containers = append([]corev1.Container(nil), pod.Spec.Containers...)
	for i := range s.Containers {
		if a := s.Containers[i].Allocated; a != nil {
			s.Spec(&view, i).Resources = *a
		}
	}
	return &view
}

// NoteResize compares what the spec asks for with what the Pod was given, which
// its present view says.
func (s *State) NoteResize(view, pod *corev1.Pod) {
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Role == Ephemeral {
			continue
		}
		given := s.Spec(view, i).Resources
		if apiequality.Semantic.DeepEqual(given, s.Spec(pod, i).Resources) {
			c.Allocated = nil
			continue
		}
		c.Allocated = &given
	}
	switch {
	case s.unallocated():
		if s.Resize == nil {
			s.Resize = &Resizing{}
		}
		s.Resize.Judge = true
	case s.Resize != nil:
		s.Resize.Judge, s.Resize.Pending = false, nil
		s.EndResize()
	}
}

// EndResize forgets a resize that is complete.
func (s *State) EndResize() {
	if r := s.Resize; r != nil && !r.Judge && r.Pending == nil && r.InProgress == nil {
		s.Resize = nil
	}
}

// NeedsRestart reports whether a container has to be started again to get the
// resources that it was given, instead of those that it has. Source:
// computePodResizeAction in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func NeedsRestart(spec *corev1.Container, has *corev1.ResourceRequirements) bool {
	for _, policy := range spec.ResizePolicy {
		if policy.RestartPolicy != corev1.RestartContainer {
			continue
		}
		for _, lists := range [][2]corev1.ResourceList{{has.Requests, spec.Resources.Requests}, {has.Limits, spec.Resources.Limits}} {
			before, after := lists[0][policy.ResourceName], lists[1][policy.ResourceName]
			if before.Cmp(after) != 0 {
				return true
			}
		}
	}
	return false
}

// LowersMemory reports whether a container's limit of memory becomes lower, or is
// set where there was none.
func LowersMemory(spec *corev1.Container, has *corev1.ResourceRequirements) bool {
	before, after := has.Limits.Memory().Value(), spec.Resources.Limits.Memory().Value()
	return after != 0 && (before == 0 || after < before)
}

// Restricted is the Pod's limit of memory, 0 if a container has none.
func Restricted(pod *corev1.Pod) (bytes int64) {
	for i := range pod.Spec.Containers {
		limit := pod.Spec.Containers[i].Resources.Limits.Memory().Value()
		if limit == 0 {
			return 0
		}
		bytes += limit
	}
	return bytes
}

// ResizeCondition returns the condition of a resize, which was old before. Source:
// updatedPodResizeCondition in k8s.io/kubernetes pkg/kubelet/status v1.37.2.
func ResizeCondition(t corev1.PodConditionType, old *corev1.PodCondition, reason, message string, generation int64, now time.Time) *corev1.PodCondition {
	c := &corev1.PodCondition{
		Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: generation,
		LastProbeTime: Seconds(now), LastTransitionTime: Seconds(now),
	}
	if old != nil && old.Reason == reason {
		c.LastTransitionTime = old.LastTransitionTime
	}
	return c
}
