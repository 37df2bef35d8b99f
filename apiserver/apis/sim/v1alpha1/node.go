package v1alpha1

// Annotations of a Node say what happens to the simulated node: a simulated network has
// no cable to pull. Their value is "true" if a user has set them. Otherwise it is the
// name of the Fault that has set them and will remove them again.
const (
	// UnreachableAnnotation disconnects the node's kubelet from the network. It posts
	// no heartbeat, and it reports, starts and ends no Pod. Running containers keep
	// running.
	UnreachableAnnotation = GroupName + "/unreachable"
	// BootAnnotation names the last boot of the node. A new value means that the
	// machine has rebooted, and everything that ran has ended.
	BootAnnotation = GroupName + "/boot"
	// MemoryPressureAnnotation and DiskPressureAnnotation make the node report that it
	// lacks memory or disk.
	MemoryPressureAnnotation = GroupName + "/memory-pressure"
	DiskPressureAnnotation   = GroupName + "/disk-pressure"
	// DrainAnnotation says that a Fault has cordoned the node.
	DrainAnnotation = GroupName + "/drain"
)
