package replicaset

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// burstReplicas bounds the Pods that one step creates or deletes. Source:
// BurstReplicas in k8s.io/kubernetes pkg/controller/replicaset v1.37.2.
const burstReplicas = 500

// plan is what a step does to a ReplicaSet's Pods.
type plan struct {
	// Create is how many to create.
	Create int
	// Delete are those to delete.
	Delete []*corev1.Pod
	// WakeAt is when the next Pod has been ready for minReadySeconds; zero if
	// nothing of that kind is to come.
	WakeAt time.Time
}

// decide is manageReplicas in k8s.io/kubernetes pkg/controller/replicaset
// v1.37.2. neighbours are how many Pods that rs selects run on each node.
func decide(rs *appsv1.ReplicaSet, active []*corev1.Pod, neighbours map[string]int, now time.Time) plan {
	p := plan{WakeAt: workload.NextAvailable(active, rs.Spec.MinReadySeconds, now)}
	if rs.DeletionTimestamp != nil {
		return p
	}
	switch surplus := len(active) - replicas(rs); {
	case surplus < 0:
		p.Create = min(-surplus, burstReplicas)
	case surplus > 0:
		p.Delete = workload.LeastWorth(active, neighbours, now)[:min(surplus, burstReplicas)]
	}
	return p
}

// replicas is how many Pods rs asks for; the API sets a default.
func replicas(rs *appsv1.ReplicaSet) int {
	if rs.Spec.Replicas == nil {
		return 1
	}
	return int(*rs.Spec.Replicas)
}

// status is calculateStatus, k8s.io/kubernetes pkg/controller/replicaset v1.37.2. It tells
// of the Pods as they were before the plan, and of missed, which kept it from being carried out.
func status(rs *appsv1.ReplicaSet, active []*corev1.Pod, missed error, now time.Time) appsv1.ReplicaSetStatus {
	s := appsv1.ReplicaSetStatus{
		ObservedGeneration: rs.Generation, Replicas: int32(len(active)),
		Conditions: conditions(rs, len(active), missed, now),
	}
	template := labels.SelectorFromSet(rs.Spec.Template.Labels)
	for _, pod := range active {
		if template.Matches(labels.Set(pod.Labels)) {
			s.FullyLabeledReplicas++
		}
		if podutil.IsPodReady(pod) {
			s.ReadyReplicas++
		}
		if podutil.IsPodAvailable(pod, rs.Spec.MinReadySeconds, metav1.NewTime(now)) {
			s.AvailableReplicas++
		}
	}
	return s
}

// conditions are those of rs, with or without ReplicaFailure.
func conditions(rs *appsv1.ReplicaSet, active int, missed error, now time.Time) []appsv1.ReplicaSetCondition {
	told := slices.ContainsFunc(rs.Status.Conditions, isFailure)
	if (missed != nil) == told {
		return rs.Status.Conditions
	}
	out := slices.DeleteFunc(slices.Clone(rs.Status.Conditions), isFailure)
	if missed == nil {
		return out
	}
	reason := map[int]string{-1: "FailedCreate", 1: "FailedDelete"}[cmp.Compare(active, replicas(rs))]
	return append(out, appsv1.ReplicaSetCondition{
		Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(now), Reason: reason, Message: missed.Error(),
	})
}

func isFailure(c appsv1.ReplicaSetCondition) bool { return c.Type == appsv1.ReplicaSetReplicaFailure }

// terminating counts the Pods of rs that are being deleted and have not ended yet.
func terminating(rs *appsv1.ReplicaSet, selector labels.Selector, owned []*corev1.Pod) int32 {
	n := int32(0)
	for _, pod := range owned {
		if controller.IsPodTerminating(pod) && metav1.IsControlledBy(pod, rs) && selector.Matches(labels.Set(pod.Labels)) {
			n++
		}
	}
	return n
}
