package node

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// UnreachableAnnotation is what takes a Node's kubelet off the network, with the
// value "true": it posts no heartbeat and reports, starts and ends no Pod, until
// the annotation is gone. What runs goes on. It lies in the API because a
// simulated network has no cable to pull.
const UnreachableAnnotation = "sim.kubesim.dev/unreachable"

// Unreachable reports whether the kubelet of a Node is off the network.
func Unreachable(obj *corev1.Node) bool { return obj.Annotations[UnreachableAnnotation] == "true" }

// CutOff reports whether a commit of a Node takes its kubelet off the network,
// or puts it back.
func CutOff(c engine.Commit) bool {
	obj, ok := c.Object.(*corev1.Node)
	if !ok {
		return false
	}
	old, _ := c.Old.(*corev1.Node)
	return Unreachable(obj) != (old != nil && Unreachable(old))
}
