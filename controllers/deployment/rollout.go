package deployment

import (
	"errors"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// roll is rolloutRolling, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) roll(sets []*appsv1.ReplicaSet) error {
	r, err := s.replicaSets(sets, true)
	if err != nil {
		return err
	}
	grown, err := s.growNew(r)
	if err != nil {
		return err
	}
	if grown {
		return s.syncRollout(r)
	}
	if shrunk := s.shrinkOld(r); !shrunk && util.DeploymentComplete(s.d, &s.d.Status) {
		s.cleanUp(r.Old)
	}
	return s.syncRollout(r)
}

// growNew scales the new ReplicaSet as far as the surge allows, or down to the
// Deployment's size. Source: reconcileNewReplicaSet.
func (s *step) growNew(r replicas) (bool, error) {
	size := *s.d.Spec.Replicas
	if *r.New.Spec.Replicas < size {
		var err error
		if size, err = util.NewRSNewReplicas(s.d, r.all(), r.New); err != nil {
			return false, err
		}
	}
	scaled, _, err := s.scaleTo(r.New, size, false)
	return scaled, err
}

// shrinkOld scales old ReplicaSets down: first Pods that are not available anyway, then as
// many as maxUnavailable allows. It reports whether it has scaled any; after an error, which
// waits for another step, it has not. Source: reconcileOldReplicaSets.
func (s *step) shrinkOld(r replicas) bool {
	old := controller.FilterActiveReplicaSets(r.Old)
	if len(old) == 0 {
		return false
	}
	least := *s.d.Spec.Replicas - util.MaxUnavailable(*s.d)
	unavailable := *r.New.Spec.Replicas - r.New.Status.AvailableReplicas
	most := util.GetReplicaCountForReplicaSets(r.all()) - least - unavailable
	if most <= 0 {
		return false
	}
	sort.Sort(controller.ReplicaSetsByCreationTimestamp(old))
	unhealthy, err := s.shrink(old, most, func(rs *appsv1.ReplicaSet) int32 { return *rs.Spec.Replicas - rs.Status.AvailableReplicas })
	if err != nil {
		return false
	}
	surplus := util.GetAvailableReplicaCountForReplicaSets(append(old[:len(old):len(old)], r.New)) - least
	healthy, err := s.shrink(old, surplus, func(rs *appsv1.ReplicaSet) int32 { return *rs.Spec.Replicas })
	return err == nil && unhealthy+healthy > 0
}

// errBehind says that a ReplicaSet was scaled down and has more Pods yet.
var errBehind = errors.New("a ReplicaSet has more available Pods than it asks for")

// shrink scales ReplicaSets down, in their order, by what they can spare and at most by
// most in all. It puts into sets what they will be. Source: cleanupUnhealthyReplicas and
// scaleDownOldReplicaSetsForRollingUpdate.
func (s *step) shrink(sets []*appsv1.ReplicaSet, most int32, spares func(*appsv1.ReplicaSet) int32) (int32, error) {
	total := int32(0)
	for i, rs := range sets {
		if total >= most {
			break
		}
		by := min(most-total, spares(rs))
		if *rs.Spec.Replicas == 0 || by == 0 {
			continue
		}
		if by < 0 {
			return total, errBehind
		}
		_, next, err := s.scaleTo(rs, *rs.Spec.Replicas-by, false)
		if err != nil {
			return total, err
		}
		sets[i] = next
		total += by
	}
	return total, nil
}

// recreate is rolloutRecreate, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) recreate(sets []*appsv1.ReplicaSet) error {
	// The new one is created only when the old Pods are gone.
	r, err := s.replicaSets(sets, false)
	if err != nil {
		return err
	}
	shrunk := false
	for _, rs := range controller.FilterActiveReplicaSets(r.Old) {
		scaled, _, err := s.scaleTo(rs, 0, false)
		if err != nil {
			return err
		}
		shrunk = shrunk || scaled
	}
	if shrunk || s.oldRun(sets, r) {
		return s.syncRollout(r)
	}
	if r.New == nil {
		if r, err = s.replicaSets(sets, true); err != nil {
			return err
		}
	}
	if _, _, err := s.scaleTo(r.New, *s.d.Spec.Replicas, false); err != nil {
		return err
	}
	if util.DeploymentComplete(s.d, &s.d.Status) {
		s.cleanUp(r.Old)
	}
	return s.syncRollout(r)
}

// oldRun is oldPodsRunning, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) oldRun(sets []*appsv1.ReplicaSet, r replicas) bool {
	if util.GetActualReplicaCountForReplicaSets(r.Old) > 0 {
		return true
	}
	for _, rs := range sets {
		if (r.New == nil || r.New.UID != rs.UID) && s.Running(rs.UID, rs.Name) {
			return true
		}
	}
	return false
}
