package replication

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// burstReplicas bounds the Pods that one step creates or deletes. Source:
// BurstReplicas in k8s.io/kubernetes pkg/controller/replicaset v1.37.2.
const burstReplicas = 500

// plan is what a step does to a ReplicationController's Pods.
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
// v1.37.2. neighbours are how many Pods that rc selects run on each node.
func decide(rc *corev1.ReplicationController, active []*corev1.Pod, neighbours map[string]int, now time.Time) plan {
	p := plan{WakeAt: workload.NextAvailable(active, rc.Spec.MinReadySeconds, now)}
	if rc.DeletionTimestamp != nil {
		return p
	}
	switch surplus := len(active) - replicas(rc); {
	case surplus < 0:
		p.Create = min(-surplus, burstReplicas)
	case surplus > 0:
		p.Delete = workload.LeastWorth(active, neighbours, now)[:min(surplus, burstReplicas)]
	}
	return p
}

// replicas is how many Pods rc asks for; the API sets a default.
func replicas(rc *corev1.ReplicationController) int {
	if rc.Spec.Replicas == nil {
		return 1
	}
	return int(*rc.Spec.Replicas)
}

// status is calculateStatus, k8s.io/kubernetes pkg/controller/replicaset v1.37.2. It tells
// of the Pods as they were before the plan, and of missed, which kept it from being carried out.
func status(rc *corev1.ReplicationController, active []*corev1.Pod, missed error, now time.Time) corev1.ReplicationControllerStatus {
	s := corev1.ReplicationControllerStatus{
		ObservedGeneration: rc.Generation, Replicas: int32(len(active)),
		Conditions: conditions(rc, len(active), missed, now),
	}
	template := labels.SelectorFromSet(templateOf(rc).Labels)
	for _, pod := range active {
		if template.Matches(labels.Set(pod.Labels)) {
			s.FullyLabeledReplicas++
		}
		if podutil.IsPodReady(pod) {
			s.ReadyReplicas++
		}
		if podutil.IsPodAvailable(pod, rc.Spec.MinReadySeconds, metav1.NewTime(now)) {
			s.AvailableReplicas++
		}
	}
	return s
}

// conditions are those of rc, with or without ReplicaFailure.
func conditions(rc *corev1.ReplicationController, active int, missed error, now time.Time) []corev1.ReplicationControllerCondition {
	isFailure := func(c corev1.ReplicationControllerCondition) bool {
		return c.Type == corev1.ReplicationControllerReplicaFailure
	}
	told := slices.ContainsFunc(rc.Status.Conditions, isFailure)
	if (missed != nil) == told {
		return rc.Status.Conditions
	}
	out := slices.DeleteFunc(slices.Clone(rc.Status.Conditions), isFailure)
	if missed == nil {
		return out
	}
	reason := map[int]string{-1: "FailedCreate", 1: "FailedDelete"}[cmp.Compare(active, replicas(rc))]
	return append(out, corev1.ReplicationControllerCondition{
		Type: corev1.ReplicationControllerReplicaFailure, Status: corev1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(now), Reason: reason, Message: missed.Error(),
	})
}

// templateOf is what rc's Pods are made from; the API insists on one.
func templateOf(rc *corev1.ReplicationController) *corev1.PodTemplateSpec {
	if rc.Spec.Template == nil {
		return &corev1.PodTemplateSpec{}
	}
	return rc.Spec.Template
}
