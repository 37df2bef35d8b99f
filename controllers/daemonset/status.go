package daemonset

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// status tells of the Pods as they are before the plan. Source: updateDaemonSetStatus in
// k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (s *step) status() appsv1.DaemonSetStatus {
	next := s.ds.Status
	next.ObservedGeneration = s.ds.Generation
	next.DesiredNumberScheduled, next.CurrentNumberScheduled, next.NumberMisscheduled = 0, 0, 0
	next.NumberReady, next.UpdatedNumberScheduled, next.NumberAvailable = 0, 0, 0
	for _, at := range s.Nodes {
		pods := s.byNode[at.node.Name]
		switch {
		case at.run:
			next.DesiredNumberScheduled++
		case len(pods) > 0:
			next.NumberMisscheduled++
		}
		if !at.run || len(pods) == 0 {
			continue
		}
		next.CurrentNumberScheduled++
		pod := slices.MinFunc(pods, oldestFirst)
		if podutil.IsPodReady(pod) {
			next.NumberReady++
			if s.isAvailable(pod) {
				next.NumberAvailable++
			}
		}
		if s.isUpdated(pod) {
			next.UpdatedNumberScheduled++
		}
	}
	next.NumberUnavailable = next.DesiredNumberScheduled - next.NumberAvailable
	return next
}

// collided is the status with one more collision.
func (s *step) collided() appsv1.DaemonSetStatus {
	next, count := s.ds.Status, int32(1)
	if next.CollisionCount != nil {
		count += *next.CollisionCount
	}
	next.CollisionCount = &count
	return next
}

// differs reports whether a status is worth writing. Source: storeDaemonSetStatus in
// k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func differs(ds *appsv1.DaemonSet, next appsv1.DaemonSetStatus) bool {
	old := ds.Status
	return old.DesiredNumberScheduled != next.DesiredNumberScheduled ||
		old.CurrentNumberScheduled != next.CurrentNumberScheduled ||
		old.NumberMisscheduled != next.NumberMisscheduled ||
		old.NumberReady != next.NumberReady ||
		old.UpdatedNumberScheduled != next.UpdatedNumberScheduled ||
		old.NumberAvailable != next.NumberAvailable ||
		old.NumberUnavailable != next.NumberUnavailable ||
		old.ObservedGeneration < ds.Generation ||
		old.CollisionCount != next.CollisionCount
}
