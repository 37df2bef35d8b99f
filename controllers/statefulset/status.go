package statefulset

import (
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// begin returns a status that tells of set and its revisions.
func (s *step) begin() appsv1.StatefulSetStatus {
	return appsv1.StatefulSetStatus{
		ObservedGeneration: s.set.Generation, CurrentRevision: s.current.Name, UpdateRevision: s.update.Name,
		CollisionCount: new(s.collisions), Conditions: s.set.Status.Conditions,
	}
}

// count lets the status tell of Pods as they are before the plan. Source:
// computeReplicaStatus in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) count(pods []*corev1.Pod) {
	status := &s.plan.Status
	for _, pod := range pods {
		if !isCreated(pod) {
			continue
		}
		status.Replicas++
		if isReady(pod) {
			status.ReadyReplicas++
			if s.isAvailable(pod) {
				status.AvailableReplicas++
			}
		}
		if pod.DeletionTimestamp != nil {
			continue
		}
		if revisionOf(pod) == s.current.Name {
			status.CurrentReplicas++
		}
		if revisionOf(pod) == s.update.Name {
			status.UpdatedReplicas++
		}
	}
}

// complete ends a rollout when every Pod has been updated. Source: completeUpdate in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) complete() {
	status, want := &s.plan.Status, int32(replicasOf(s.set))
	if status.UpdatedReplicas != want || status.ReadyReplicas != want || status.Replicas != want {
		return
	}
	status.CurrentReplicas, status.CurrentRevision = status.UpdatedReplicas, status.UpdateRevision
	if s.isRecreate() && slices.ContainsFunc(status.Conditions, isProgressing) {
		status.Conditions = s.progress(corev1.ConditionFalse, recreateCompleted, "All pods recreated successfully")
	}
}

// progress returns the conditions with another Progressing. Source: setStatefulSetCondition in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2, which asks a clock.
func (s *step) progress(is corev1.ConditionStatus, reason, message string) []appsv1.StatefulSetCondition {
	next := appsv1.StatefulSetCondition{
		Type: appsv1.StatefulSetProgressing, Status: is, LastTransitionTime: metav1.NewTime(s.now), Reason: reason, Message: message,
	}
	conditions := slices.Clone(s.plan.Status.Conditions)
	i := slices.IndexFunc(conditions, isProgressing)
	if i < 0 {
		return append(conditions, next)
	}
	if old := conditions[i]; old.Status == is {
		next.LastTransitionTime = old.LastTransitionTime
	}
	conditions[i] = next
	return conditions
}

func isProgressing(c appsv1.StatefulSetCondition) bool {
	return c.Type == appsv1.StatefulSetProgressing
}

// differs is inconsistentStatus, k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func differs(old, next appsv1.StatefulSetStatus) bool {
	return next.ObservedGeneration > old.ObservedGeneration ||
		next.Replicas != old.Replicas ||
		next.CurrentReplicas != old.CurrentReplicas ||
		next.ReadyReplicas != old.ReadyReplicas ||
		next.UpdatedReplicas != old.UpdatedReplicas ||
		next.CurrentRevision != old.CurrentRevision ||
		next.AvailableReplicas != old.AvailableReplicas ||
		next.UpdateRevision != old.UpdateRevision ||
		!reflect.DeepEqual(old.Conditions, next.Conditions)
}
