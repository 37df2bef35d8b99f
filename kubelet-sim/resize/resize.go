// Package resize carries out changes of the resources of containers that exist: what a Pod's
// spec asks for is allocated if the node has room for it; then the runtime is told; a second
// later it is seen to have done that.
//
// Invariant: it writes the Pod's State, and nothing else. Whether the node has room is an
// argument, and what runs is behind Runtime: so this package does not count the node's
// resources. Package decide says when each step is due.
package resize

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/decide"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Runtime is what runs of the Pod.
type Runtime interface {
	// Memory is what the program of container i uses; ok is false if none runs. Unit:
	// bytes.
	Memory(i int) (used int64, ok bool)
	// SetLimits gives a program that runs the limits of its spec.
	SetLimits(i int, spec *corev1.Container, now time.Time)
}

// retry is how long after a refused resize the kubelet looks again, if nothing has freed
// resources before; errorRetry is for one that the runtime cannot carry out. Unit: virtual
// time. Source: retryDelay in k8s.io/kubernetes pkg/kubelet/allocation, and backOffPeriod in
// pkg/kubelet v1.37.2.
const (
	retry      = 3 * time.Minute
	errorRetry = 10 * time.Second
)

// Allocate gives the Pod the resources that the spec of pod asks for, unless why says that
// its node has no room. It reports whether it did: then the caller counts them, and tells
// event.ResizeStarted. Source: manager.handlePodResourcesResize in k8s.io/kubernetes
// pkg/kubelet/allocation v1.37.2.
func Allocate(s *podstate.State, pod *corev1.Pod, why *admission.Rejection, now time.Time, tell func(event.Event)) bool {
	z := s.Resize
	z.Judge, z.RetryAt = false, now.Add(retry)
	if why != nil {
		old := z.Pending
		z.Pending = podstate.ResizeCondition(corev1.PodResizePending, old, corev1.PodReasonDeferred, why.Message, pod.Generation, now)
		if old == nil || old.ObservedGeneration != pod.Generation {
			tell(event.ResizeDeferred(pod, why.Reason, why.Message))
		}
		return false
	}
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Allocated != nil {
			c.BackOff = podstate.BackOff{} // upstream's GetBackoffKey has the resources in it
			if c.Actual == nil {
				c.Actual = c.Allocated
			}
		}
		c.Allocated = nil
	}
	z.Pending, z.Told, z.LookAt = nil, false, now
	z.InProgress = podstate.ResizeCondition(corev1.PodResizeInProgress, nil, "", "", pod.Generation, now)
	return true
}

// Waiting is a Pod whose node had no room for its resize.
type Waiting struct {
	Pod   *corev1.Pod
	State *podstate.State
}

// Order says which of two Pods may try first: one of higher priority, then one that has
// waited longer. Source: manager.sortPendingResizes in k8s.io/kubernetes
// pkg/kubelet/allocation v1.37.2.
func Order(a, b Waiting) int {
	return cmp.Or(
		cmp.Compare(corev1helpers.PodPriority(b.Pod), corev1helpers.PodPriority(a.Pod)),
		a.State.Resize.Pending.LastTransitionTime.Compare(b.State.Resize.Pending.LastTransitionTime.Time),
		cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name),
	)
}

// Actuate tells the runtime what the Pod was given, or sees that it has done that.
func Actuate(s *podstate.State, pod *corev1.Pod, in Runtime, now time.Time, tell func(event.Event)) {
	z := s.Resize
	if !z.Told {
		if err := checkMemory(s, pod, in); err != nil {
			fail(z, pod, err, now, tell)
			return
		}
		tellRuntime(s, pod, in, now)
		z.Told, z.LookAt = true, now.Add(decide.SyncDelay)
		return
	}
	z.LookAt = now.Add(decide.SyncDelay)
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Actual != nil {
			if c.Unhealthy == podstate.ResizeRestart && c.Activity == podstate.Running || c.Killed {
				return // it has not started again yet
			}
			c.Actual = nil
		}
	}
	generation := z.InProgress.ObservedGeneration
	z.InProgress = nil
	s.EndResize()
	tell(event.ResizeCompleted(pod, generation))
}

// tellRuntime gives running containers their new limits, or lets them end where their
// policy says so.
func tellRuntime(s *podstate.State, pod *corev1.Pod, in Runtime, now time.Time) {
	for i := range s.Containers {
		c, spec := &s.Containers[i], s.Spec(pod, i)
		if c.Actual == nil {
			continue
		}
		switch _, runs := in.Memory(i); {
		case !runs:
			c.Actual = nil // it starts with what it was given
		case podstate.NeedsRestart(spec, c.Actual):
			c.Unhealthy = podstate.ResizeRestart
		default:
			in.SetLimits(i, spec, now)
		}
	}
}

// checkMemory refuses limits of memory below what is used. Source:
// validateMemoryResizeAction in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func checkMemory(s *podstate.State, pod *corev1.Pod, in Runtime) error {
	var errs []error
	var podUsage int64
	lowered := false
	for i := range s.Containers {
		c, spec := &s.Containers[i], s.Spec(pod, i)
		used, runs := in.Memory(i)
		if !runs {
			continue
		}
		podUsage += used
		if c.Actual == nil || podstate.NeedsRestart(spec, c.Actual) || !podstate.LowersMemory(spec, c.Actual) {
			continue
		}
		lowered = true
		if limit := spec.Resources.Limits.Memory().Value(); used >= limit {
			errs = append(errs, fmt.Errorf("attempting to set container %q memory limit (%d) below current usage (%d)", c.Name, limit, used))
		}
	}
	if limit := podstate.Restricted(pod); lowered && limit > 0 && podUsage >= limit {
		errs = slices.Insert(errs, 0, fmt.Errorf("attempting to set pod memory limit (%d) below current usage (%d)", limit, podUsage))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("cannot decrease memory limits: %w", utilerrors.NewAggregate(errs))
}

// fail says that the runtime cannot do what the Pod was given, which is tried again.
func fail(z *podstate.Resizing, pod *corev1.Pod, err error, now time.Time, tell func(event.Event)) {
	old := z.InProgress
	z.InProgress = podstate.ResizeCondition(corev1.PodResizeInProgress, old, corev1.PodReasonError, err.Error(), old.ObservedGeneration, now)
	z.LookAt = now.Add(errorRetry)
	if old.Reason != corev1.PodReasonError || old.Message != err.Error() {
		tell(event.ResizeFailed(pod, old.ObservedGeneration, err))
	}
}
