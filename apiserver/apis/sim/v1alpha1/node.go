package v1alpha1

// What happens to a simulated node is said in annotations of its Node: a simulated
// network has no cable to pull. Their value is "true" where a user has set them, else the
// name of the Fault that has, which removes them again.
const (
	// UnreachableAnnotation takes the node's kubelet off the network: it posts no
	// heartbeat and reports, starts and ends no Pod. What runs goes on.
	UnreachableAnnotation = GroupName + "/unreachable"
	// BootAnnotation names the last boot of the node: with another value its machine
	// has started anew, and all that ran has ended.
	BootAnnotation = GroupName + "/boot"
	// MemoryPressureAnnotation and DiskPressureAnnotation let the node say that it
	// lacks memory or disk.
	MemoryPressureAnnotation = GroupName + "/memory-pressure"
	DiskPressureAnnotation   = GroupName + "/disk-pressure"
	// DrainAnnotation says that a Fault has cordoned the node.
	DrainAnnotation = GroupName + "/drain"
)
