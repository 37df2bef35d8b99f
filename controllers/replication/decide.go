package replication

import (
	"cmp"
	"slices"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
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
	p := plan{WakeAt: nextAvailable(rc, active, now)}
	if rc.DeletionTimestamp != nil {
		return p
	}
	switch surplus := len(active) - replicas(rc); {
	case surplus < 0:
		p.Create = min(-surplus, burstReplicas)
	case surplus > 0:
		p.Delete = leastWorth(active, neighbours, now)[:min(surplus, burstReplicas)]
	}
	return p
}

// leastWorth sorts Pods by how little is lost with them.
func leastWorth(pods []*corev1.Pod, neighbours map[string]int, now time.Time) []*corev1.Pod {
	ranked := controller.ActivePodsWithRanks{Pods: slices.Clone(pods), Rank: make([]int, len(pods)), Now: metav1.NewTime(now)}
	for i, pod := range pods {
		ranked.Rank[i] = neighbours[pod.Spec.NodeName]
	}
	sort.Sort(ranked)
	return ranked.Pods
}

// replicas is how many Pods rc asks for; the API sets a default.
func replicas(rc *corev1.ReplicationController) int {
	if rc.Spec.Replicas == nil {
		return 1
	}
	return int(*rc.Spec.Replicas)
}

// nextAvailable is when the next of the ready Pods becomes available.
func nextAvailable(rc *corev1.ReplicationController, active []*corev1.Pod, now time.Time) time.Time {
	var next time.Time
	for _, pod := range active {
		c := podutil.GetPodReadyCondition(pod.Status)
		if c == nil || c.Status != corev1.ConditionTrue {
			continue
		}
		at := engine.After(c.LastTransitionTime.Time, engine.Seconds(int64(rc.Spec.MinReadySeconds)))
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
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
