package replicaset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// kind is what ReplicaSets and ReplicationControllers differ in. The latter are ReplicaSets
// to everybody else in this package, as in k8s.io/kubernetes pkg/controller/replication
// v1.37.2.
type kind struct {
	// name is the reconciler's in the queue and in the event log.
	name     string
	resource engine.Resource
	gvk      schema.GroupVersionKind
	// account is the service account.
	account string
	// terminating says that the status counts the Pods that are being deleted.
	terminating bool
	// read returns obj as a ReplicaSet that shares its parts, write a copy of obj with a
	// status.
	read  func(obj engine.Object) *appsv1.ReplicaSet
	write func(obj engine.Object, status appsv1.ReplicaSetStatus) engine.Object
}

func replicaSets(gates workload.Gates) kind {
	return kind{
		name: Name, resource: engine.ReplicaSets, gvk: appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), account: "replicaset-controller",
		terminating: gates.DeploymentReplicaSetTerminatingReplicas,
		read:        func(obj engine.Object) *appsv1.ReplicaSet { return obj.(*appsv1.ReplicaSet) },
		write: func(obj engine.Object, status appsv1.ReplicaSetStatus) engine.Object {
			next := *obj.(*appsv1.ReplicaSet)
			next.Status = status
			return &next
		},
	}
}

func replicationControllers() kind {
	return kind{
		name: ReplicationName, resource: engine.ReplicationControllers, gvk: corev1.SchemeGroupVersion.WithKind("ReplicationController"), account: "replication-controller",
		read: func(obj engine.Object) *appsv1.ReplicaSet {
			return fromReplicationController(obj.(*corev1.ReplicationController))
		},
		write: func(obj engine.Object, status appsv1.ReplicaSetStatus) engine.Object {
			next := *obj.(*corev1.ReplicationController)
			next.Status = toReplicationController(status)
			return &next
		},
	}
}

func fromReplicationController(rc *corev1.ReplicationController) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: rc.ObjectMeta,
		Spec: appsv1.ReplicaSetSpec{
			Replicas: rc.Spec.Replicas, MinReadySeconds: rc.Spec.MinReadySeconds, Selector: &metav1.LabelSelector{MatchLabels: rc.Spec.Selector},
		},
		Status: appsv1.ReplicaSetStatus{
			Replicas: rc.Status.Replicas, FullyLabeledReplicas: rc.Status.FullyLabeledReplicas, ReadyReplicas: rc.Status.ReadyReplicas,
			AvailableReplicas: rc.Status.AvailableReplicas, ObservedGeneration: rc.Status.ObservedGeneration,
		},
	}
	if rc.Spec.Template != nil { // the API insists on one
		rs.Spec.Template = *rc.Spec.Template
	}
	for _, c := range rc.Status.Conditions {
		rs.Status.Conditions = append(rs.Status.Conditions, appsv1.ReplicaSetCondition{
			Type: appsv1.ReplicaSetConditionType(c.Type), Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message,
		})
	}
	return rs
}

func toReplicationController(s appsv1.ReplicaSetStatus) corev1.ReplicationControllerStatus {
	out := corev1.ReplicationControllerStatus{
		Replicas: s.Replicas, FullyLabeledReplicas: s.FullyLabeledReplicas, ReadyReplicas: s.ReadyReplicas,
		AvailableReplicas: s.AvailableReplicas, ObservedGeneration: s.ObservedGeneration,
	}
	for _, c := range s.Conditions {
		out.Conditions = append(out.Conditions, corev1.ReplicationControllerCondition{
			Type: corev1.ReplicationControllerConditionType(c.Type), Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message,
		})
	}
	return out
}
