package deployment

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/controller/deployment/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// syncStatus is syncDeploymentStatus, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) syncStatus(r replicas) error {
	next := s.count(r)
	if equality.Semantic.DeepEqual(s.d.Status, next) {
		return nil
	}
	return s.writeStatus(next)
}

// count is calculateStatus, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) count(r replicas) appsv1.DeploymentStatus {
	all := r.all()
	available := util.GetAvailableReplicaCountForReplicaSets(all)
	next := appsv1.DeploymentStatus{
		ObservedGeneration:  s.d.Generation,
		Replicas:            util.GetActualReplicaCountForReplicaSets(all),
		UpdatedReplicas:     util.GetActualReplicaCountForReplicaSets([]*appsv1.ReplicaSet{r.New}),
		ReadyReplicas:       util.GetReadyReplicaCountForReplicaSets(all),
		AvailableReplicas:   available,
		UnavailableReplicas: max(util.GetReplicaCountForReplicaSets(all)-available, 0),
		CollisionCount:      s.d.Status.CollisionCount,
		Conditions:          slices.Clone(s.d.Status.Conditions),
	}
	if s.Gates.DeploymentReplicaSetTerminatingReplicas {
		next.TerminatingReplicas = util.GetTerminatingReplicaCountForReplicaSets(all)
	}
	if available >= *s.d.Spec.Replicas-util.MaxUnavailable(*s.d) {
		s.set(&next, appsv1.DeploymentAvailable, corev1.ConditionTrue, util.MinimumReplicasAvailable, "Deployment has minimum availability.")
	} else {
		s.set(&next, appsv1.DeploymentAvailable, corev1.ConditionFalse, util.MinimumReplicasUnavailable, "Deployment does not have minimum availability.")
	}
	return next
}

// syncRollout tells how the rollout goes, and sets when it may time out. Source:
// syncRolloutStatus in k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) syncRollout(r replicas) error {
	next := s.count(r)
	if !util.HasProgressDeadline(s.d) {
		util.RemoveDeploymentCondition(&next, appsv1.DeploymentProgressing)
	}
	told := util.GetDeploymentCondition(s.d.Status, appsv1.DeploymentProgressing)
	complete := next.Replicas == next.UpdatedReplicas && told != nil && told.Reason == util.NewRSAvailableReason
	if util.HasProgressDeadline(s.d) && !complete {
		s.progress(&next, told, r.New)
	}
	if failure := failureOf(r); failure != nil {
		util.SetDeploymentCondition(&next, *failure)
	} else {
		util.RemoveDeploymentCondition(&next, appsv1.DeploymentReplicaFailure)
	}
	s.plan.WakeAt = s.deadline(&next)
	if equality.Semantic.DeepEqual(s.d.Status, next) {
		return nil
	}
	return s.writeStatus(next)
}

// progress sets the condition Progressing; told is the present one.
func (s *step) progress(next *appsv1.DeploymentStatus, told *appsv1.DeploymentCondition, newSet *appsv1.ReplicaSet) {
	subject := fmt.Sprintf("Deployment %q", s.d.Name)
	if newSet != nil {
		subject = fmt.Sprintf("ReplicaSet %q", newSet.Name)
	}
	switch {
	case util.DeploymentComplete(s.d, next):
		s.setProgressing(next, corev1.ConditionTrue, util.NewRSAvailableReason, subject+" has successfully progressed.")
	case util.DeploymentProgressing(s.d, next):
		// Unlike other conditions, this one is set anew for the same reason: each sign of
		// progress moves the deadline.
		c := s.condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, util.ReplicaSetUpdatedReason, subject+" is progressing.")
		if told != nil {
			if told.Status == corev1.ConditionTrue {
				c.LastTransitionTime = told.LastTransitionTime
			}
			util.RemoveDeploymentCondition(next, appsv1.DeploymentProgressing)
		}
		util.SetDeploymentCondition(next, c)
	case s.timedOut(next):
		s.setProgressing(next, corev1.ConditionFalse, util.TimedOutReason, subject+" has timed out progressing.")
	}
}

// timedOut is util.DeploymentTimedOut in virtual time.
func (s *step) timedOut(next *appsv1.DeploymentStatus) bool {
	c := util.GetDeploymentCondition(*next, appsv1.DeploymentProgressing)
	switch {
	case c == nil || c.Reason == util.NewRSAvailableReason:
		return false
	case c.Reason == util.TimedOutReason:
		return true
	}
	return s.late(c).Before(s.now)
}

// late is when a condition Progressing is too old.
func (s *step) late(c *appsv1.DeploymentCondition) time.Time {
	return engine.After(c.LastUpdateTime.Time, engine.Seconds(int64(*s.d.Spec.ProgressDeadlineSeconds)))
}

// deadline is when to look whether the rollout has timed out; zero if it cannot. Source:
// requeueStuckDeployment in k8s.io/kubernetes pkg/controller/deployment v1.37.2, with the
// second that it adds.
func (s *step) deadline(next *appsv1.DeploymentStatus) time.Time {
	c := util.GetDeploymentCondition(*next, appsv1.DeploymentProgressing)
	switch {
	case !util.HasProgressDeadline(s.d) || c == nil || util.DeploymentComplete(s.d, next):
		return time.Time{}
	case c.Reason == util.TimedOutReason || c.Reason == util.NewRSAvailableReason: // nothing changes them but progress
		return time.Time{}
	}
	return s.late(c).Add(time.Second)
}

// failureOf returns why Pods could not be created or deleted, of the new ReplicaSet if it
// knows of something. Source: getReplicaFailures in k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func failureOf(r replicas) *appsv1.DeploymentCondition {
	for _, rs := range append([]*appsv1.ReplicaSet{r.New}, r.Old...) {
		if rs == nil {
			continue
		}
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure {
				return new(util.ReplicaSetToDeploymentCondition(c))
			}
		}
	}
	return nil
}

func (s *step) setProgressing(status *appsv1.DeploymentStatus, is corev1.ConditionStatus, reason, message string) {
	s.set(status, appsv1.DeploymentProgressing, is, reason, message)
}

func (s *step) set(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType, is corev1.ConditionStatus, reason, message string) {
	util.SetDeploymentCondition(status, s.condition(kind, is, reason, message))
}

// condition is util.NewDeploymentCondition in virtual time.
func (s *step) condition(kind appsv1.DeploymentConditionType, is corev1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	now := metav1.NewTime(s.now)
	return appsv1.DeploymentCondition{Type: kind, Status: is, LastUpdateTime: now, LastTransitionTime: now, Reason: reason, Message: message}
}
