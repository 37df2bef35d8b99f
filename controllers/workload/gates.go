package workload

// Gates are upstream's feature gates of the same names.
type Gates struct {
	// DeploymentReplicaSetTerminatingReplicas lets the status of Deployments and ReplicaSets
	// count Pods that are being deleted.
	DeploymentReplicaSetTerminatingReplicas bool
}
