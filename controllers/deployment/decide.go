package deployment

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment/util"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// cluster is what a decision may ask beyond the Deployment and its ReplicaSets.
type cluster struct {
	Gates workload.Gates
	// Running reports whether a Pod of a ReplicaSet has not ended.
	Running func(set types.UID, name string) bool
	// Named finds a ReplicaSet in the Deployment's namespace, whosever it is.
	Named func(name string) (*appsv1.ReplicaSet, bool)
}

// decide is syncDeployment, k8s.io/kubernetes pkg/controller/deployment v1.37.2. It changes
// neither d nor sets. The error is about a Deployment that validation would refuse.
func decide(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, c cluster, now time.Time) (plan, error) {
	s := &step{d: d.DeepCopy(), now: now, cluster: c, scaled: map[types.UID]bool{}}
	if err := s.sync(slices.Clone(sets)); err != nil && !errors.Is(err, errConflict) {
		return plan{}, err
	}
	return s.plan, nil
}

func (s *step) sync(sets []*appsv1.ReplicaSet) error {
	if s.selectsAll() {
		return nil
	}
	if s.d.DeletionTimestamp != nil {
		r, err := s.replicaSets(sets, false)
		if err != nil {
			return err
		}
		return s.syncStatus(r)
	}
	if err := s.pausedCondition(); err != nil {
		return err
	}
	if s.d.Spec.Paused {
		return s.resize(sets)
	}
	if rollbackTo(s.d) != nil {
		return s.rollback(sets)
	}
	scaling, err := s.isScaling(sets)
	switch {
	case err != nil:
		return err
	case scaling:
		return s.resize(sets)
	}
	switch s.d.Spec.Strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		return s.recreate(sets)
	case appsv1.RollingUpdateDeploymentStrategyType:
		return s.roll(sets)
	}
	return fmt.Errorf("unexpected deployment strategy type: %s", s.d.Spec.Strategy.Type)
}

// selectsAll reports whether the Deployment would take every Pod, and tells that. The API
// refuses a new one of that kind.
func (s *step) selectsAll() bool {
	selector := s.d.Spec.Selector
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) > 0 {
		return false
	}
	s.tell(*warning("SelectingAll", "This deployment is selecting all pods. A non-empty selector is required."))
	if s.d.Status.ObservedGeneration < s.d.Generation {
		s.d.Status.ObservedGeneration = s.d.Generation
		_ = s.writeStatus(s.d.Status)
	}
	return true
}

// replicas are the ReplicaSets of a Deployment.
type replicas struct {
	// New has the Deployment's template; nil if there is none.
	New *appsv1.ReplicaSet
	Old []*appsv1.ReplicaSet
}

// isScaling reports whether the Deployment's size was changed since its ReplicaSets were
// made or scaled. Source: isScalingEvent in k8s.io/kubernetes pkg/controller/deployment
// v1.37.2.
func (s *step) isScaling(sets []*appsv1.ReplicaSet) (bool, error) {
	r, err := s.replicaSets(sets, false)
	if err != nil {
		return false, err
	}
	for _, rs := range controller.FilterActiveReplicaSets(r.all()) {
		desired, ok := util.GetDesiredReplicasAnnotation(klog.Background(), rs)
		if ok && desired != *s.d.Spec.Replicas {
			return true, nil
		}
	}
	return false, nil
}

// resize is for a Deployment that is paused, or was scaled: the method sync in
// k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) resize(sets []*appsv1.ReplicaSet) error {
	r, err := s.replicaSets(sets, false)
	if err != nil {
		return err
	}
	if err := s.scale(r); err != nil {
		return err
	}
	if s.d.Spec.Paused && rollbackTo(s.d) == nil {
		s.cleanUp(r.Old)
	}
	return s.syncStatus(r)
}

// pausedCondition tells that the Deployment is paused or was resumed, so that one that was
// paused for long has not timed out. Source: checkPausedConditions in k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func (s *step) pausedCondition() error {
	if !util.HasProgressDeadline(s.d) {
		return nil
	}
	cond := util.GetDeploymentCondition(s.d.Status, appsv1.DeploymentProgressing)
	if cond != nil && cond.Reason == util.TimedOutReason {
		return nil
	}
	told := cond != nil && cond.Reason == util.PausedDeployReason
	switch {
	case s.d.Spec.Paused && !told:
		s.setProgressing(&s.d.Status, corev1.ConditionUnknown, util.PausedDeployReason, "Deployment is paused")
	case !s.d.Spec.Paused && told:
		s.setProgressing(&s.d.Status, corev1.ConditionUnknown, util.ResumedDeployReason, "Deployment is resumed")
	default:
		return nil
	}
	return s.writeStatus(s.d.Status)
}

// cleanUp deletes old ReplicaSets beyond the history limit. Source: cleanupDeployment in
// k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) cleanUp(old []*appsv1.ReplicaSet) {
	if !util.HasRevisionHistoryLimit(s.d) {
		return
	}
	alive := controller.FilterReplicaSets(old, func(rs *appsv1.ReplicaSet) bool { return rs != nil && rs.DeletionTimestamp == nil })
	surplus := len(alive) - int(*s.d.Spec.RevisionHistoryLimit)
	if surplus <= 0 {
		return
	}
	sort.Sort(util.ReplicaSetsByRevision(alive))
	for _, rs := range alive[:surplus] {
		if rs.Status.Replicas == 0 && *rs.Spec.Replicas == 0 && rs.Generation <= rs.Status.ObservedGeneration {
			s.plan.Writes = append(s.plan.Writes, write{Delete: rs})
		}
	}
}
