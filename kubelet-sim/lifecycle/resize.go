package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// A resize changes the resources of containers that exist. What the Pod's spec
// asks for is allocated when the node has room for it; then the runtime is told,
// and a second later it is seen to have done it. Source: pkg/kubelet/allocation,
// computePodResizeAction in pkg/kubelet/kuberuntime and Kubelet.SyncPod in
// k8s.io/kubernetes v1.37.2.
//
// Deviation: resources of the Pod as a whole (spec.resources) count at once.

// resizeRetry is how long after a refused resize the kubelet looks again, if
// nothing has freed resources before; resizeErrorRetry is for one that the runtime
// cannot carry out. Unit: virtual time. Source: retryDelay, ibid., and
// backOffPeriod in pkg/kubelet.
const (
	resizeRetry      = 3 * time.Minute
	resizeErrorRetry = 10 * time.Second
)

// resizeRestart is why a container ends whose resizePolicy asks for that.
const resizeRestart killReason = "Resize"

// resizing is a resize that is not complete.
type resizing struct {
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

// decideResize says what there is to do for a resize.
func decideResize(s *podState, now time.Time) plan {
	r := s.Resize
	if r == nil {
		return plan{}
	}
	var p plan
	if r.Pending != nil || r.Judge {
		if r.Judge || !now.Before(r.RetryAt) {
			return do(allocate, -1)
		}
		p = at(r.RetryAt, engine.Recurring)
	}
	if r.InProgress == nil {
		return p
	}
	if !now.Before(r.LookAt) {
		return do(actuate, -1)
	}
	kind := engine.Work
	if r.InProgress.Reason == corev1.PodReasonError {
		kind = engine.Recurring
	}
	return p.and(at(r.LookAt, kind))
}

// resizeCondition returns the condition of a resize, which was old before. Source:
// updatedPodResizeCondition in k8s.io/kubernetes pkg/kubelet/status v1.37.2.
func resizeCondition(t corev1.PodConditionType, old *corev1.PodCondition, reason, message string, generation int64, now time.Time) *corev1.PodCondition {
	c := &corev1.PodCondition{
		Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: generation,
		LastProbeTime: seconds(now), LastTransitionTime: seconds(now),
	}
	if old != nil && old.Reason == reason {
		c.LastTransitionTime = old.LastTransitionTime
	}
	return c
}

// resizeConditions are those that the Pod has now.
func resizeConditions(s *podState) []corev1.PodCondition {
	var out []corev1.PodCondition
	if r := s.Resize; r != nil && !s.Finished {
		for _, c := range []*corev1.PodCondition{r.Pending, r.InProgress} {
			if c != nil {
				out = append(out, *c)
			}
		}
	}
	return out
}

// unallocated reports whether the Pod's spec asks for other resources than it was
// given.
func (s *podState) unallocated() bool {
	for i := range s.Containers {
		if s.Containers[i].Allocated != nil {
			return true
		}
	}
	return false
}

// allocatedView is the Pod with the resources that it was given, which the kubelet
// goes by. It is pod itself where these are what the spec asks for.
func (s *podState) allocatedView(pod *corev1.Pod) *corev1.Pod {
	if !s.unallocated() {
		return pod
	}
	view := *pod
	view.Spec.InitContainers = append([]corev1.Container(nil), pod.Spec.InitContainers...)
	view.Spec.Containers = append([]corev1.Container(nil), pod.Spec.Containers...)
	for i := range s.Containers {
		if a := s.Containers[i].Allocated; a != nil {
			s.spec(&view, i).Resources = *a
		}
	}
	return &view
}

// noteResize compares what the spec asks for with what the Pod was given, which
// its present view says.
func (s *podState) noteResize(view, pod *corev1.Pod) {
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Role == ephemeral {
			continue
		}
		given := s.spec(view, i).Resources
		if apiequality.Semantic.DeepEqual(given, s.spec(pod, i).Resources) {
			c.Allocated = nil
			continue
		}
		c.Allocated = &given
	}
	switch {
	case s.unallocated():
		if s.Resize == nil {
			s.Resize = &resizing{}
		}
		s.Resize.Judge = true
	case s.Resize != nil:
		s.Resize.Judge, s.Resize.Pending = false, nil
		s.endResize()
	}
}

// endResize forgets a resize that is complete.
func (s *podState) endResize() {
	if r := s.Resize; r != nil && !r.Judge && r.Pending == nil && r.InProgress == nil {
		s.Resize = nil
	}
}

// restoreResize takes over a resize that was not complete when the kubelet was
// last there, from the Pod's status.
func (s *podState) restoreResize(pod *corev1.Pod, c *containerState, i int, st *corev1.ContainerStatus) {
	if c.Role == ephemeral || st.Resources == nil || apiequality.Semantic.DeepEqual(*st.Resources, s.spec(pod, i).Resources) {
		return
	}
	c.Allocated = st.Resources.DeepCopy()
	s.Resize = &resizing{Judge: true}
}

// needsRestart reports whether a container has to be started again to get the
// resources that it was given, instead of those that it has. Source:
// computePodResizeAction, ibid.
func needsRestart(spec *corev1.Container, has *corev1.ResourceRequirements) bool {
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

// lowersMemory reports whether a container's limit of memory becomes lower, or is
// set where there was none.
func lowersMemory(spec *corev1.Container, has *corev1.ResourceRequirements) bool {
	before, after := has.Limits.Memory().Value(), spec.Resources.Limits.Memory().Value()
	return after != 0 && (before == 0 || after < before)
}

// restricted is the Pod's limit of memory, 0 if a container has none.
func restricted(pod *corev1.Pod) (bytes int64) {
	for i := range pod.Spec.Containers {
		limit := pod.Spec.Containers[i].Resources.Limits.Memory().Value()
		if limit == 0 {
			return 0
		}
		bytes += limit
	}
	return bytes
}
