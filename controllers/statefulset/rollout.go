package statefulset

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The reasons of the condition Progressing, which only the strategy Recreate sets.
const (
	recreateInProgress = "RecreateInProgress"
	recreateCompleted  = "RecreateCompleted"
)

// roll deletes Pods that are to have another revision, the highest ordinal first. Source:
// updateStatefulSetAfterInvariantEstablished in k8s.io/kubernetes
// pkg/controller/statefulset v1.37.2.
func (s *step) roll() {
	rolling := s.set.Spec.UpdateStrategy.RollingUpdate
	targets := s.replicas[min(partition(rolling), len(s.replicas)):]
	if !s.Gates.MaxUnavailableStatefulSet {
		s.outdate(s.oneByOne(targets))
		return
	}
	unavailable, broken := 0, 0
	for _, pod := range s.replicas {
		if s.isUnavailable(pod) {
			unavailable++
			if s.isOutdated(pod) {
				broken++
			}
		}
	}
	budget := maxUnavailable(rolling, len(s.replicas)) - unavailable
	switch {
	case s.isParallel() && (budget > 0 || broken > 0):
		s.outdate(s.together(targets, budget))
	case !s.isParallel() && budget > 0:
		s.outdate(s.inOrder(targets, budget))
	}
}

// isOutdated reports whether a Pod has another revision than it is to have, and stays.
func (s *step) isOutdated(pod *corev1.Pod) bool {
	return revisionOf(pod) != s.update.Name && pod.DeletionTimestamp == nil
}

// oneByOne returns the next Pod, unless one after it is not available yet.
func (s *step) oneByOne(targets []*corev1.Pod) []*corev1.Pod {
	for _, pod := range slices.Backward(targets) {
		switch {
		case s.isOutdated(pod):
			return []*corev1.Pod{pod}
		case s.isUnavailable(pod):
			return nil
		}
	}
	return nil
}

// inOrder returns as many Pods as the budget allows.
func (s *step) inOrder(targets []*corev1.Pod, budget int) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range slices.Backward(targets) {
		if len(out) < budget && s.isOutdated(pod) {
			out = append(out, pod)
		}
	}
	return out
}

// together returns the Pods that are not available anyway, then as many of the others as
// the budget allows.
func (s *step) together(targets []*corev1.Pod, budget int) []*corev1.Pod {
	var broken, others []*corev1.Pod
	for _, pod := range slices.Backward(targets) {
		switch {
		case !s.isOutdated(pod):
		case !s.isAvailable(pod):
			broken = append(broken, pod)
		default:
			others = append(others, pod)
		}
	}
	return append(broken, others[:min(max(budget, 0), len(others))]...)
}

// outdate plans to delete Pods that are to have another revision.
func (s *step) outdate(pods []*corev1.Pod) {
	var p phase
	for _, pod := range pods {
		p.Pods = append(p.Pods, []work{{verb: outdate, Pod: pod}})
	}
	s.add(p)
}

// maxUnavailable is getStatefulSetMaxUnavailable, k8s.io/kubernetes
// pkg/controller/statefulset v1.37.2. Validation has refused what is no number.
func maxUnavailable(rolling *appsv1.RollingUpdateStatefulSetStrategy, replicas int) int {
	if rolling == nil || rolling.MaxUnavailable == nil {
		return 1
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxUnavailable, replicas, false)
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// recreate plans to delete every Pod of another revision, and reports whether there is
// none. Source: recreateDeleteAndWait in k8s.io/kubernetes pkg/controller/statefulset
// v1.37.2.
func (s *step) recreate() bool {
	old := phase{Together: true}
	gone := true
	for _, pod := range slices.Concat(s.replicas, s.condemned) {
		var works []work
		if isCreated(pod) && revisionOf(pod) != s.update.Name {
			gone = false
			if pod.DeletionTimestamp == nil {
				works = []work{{verb: remove, Pod: pod}}
			}
		}
		old.Pods = append(old.Pods, works)
	}
	switch {
	case !gone:
		s.add(old)
		s.plan.Conditions = s.progress(corev1.ConditionTrue, recreateInProgress, "Deleting old revision pods")
	case s.current.Name != s.update.Name:
		s.plan.Status.Conditions = s.progress(corev1.ConditionTrue, recreateInProgress, "Waiting for new-revision pods to be created")
	}
	return gone
}
