package workload

// Gates are upstream's feature gates of the same names.
type Gates struct {
	// DeploymentReplicaSetTerminatingReplicas lets the status of Deployments and ReplicaSets
	// count Pods that are being deleted.
	DeploymentReplicaSetTerminatingReplicas bool
	// MaxUnavailableStatefulSet lets a rollout of a StatefulSet replace several Pods at a
	// time, StatefulSetRecreateStrategy lets it replace all of them, and
	// StatefulSetSemanticRevisionComparison keeps it from beginning one where only defaults
	// have changed.
	MaxUnavailableStatefulSet, StatefulSetRecreateStrategy, StatefulSetSemanticRevisionComparison bool
}
