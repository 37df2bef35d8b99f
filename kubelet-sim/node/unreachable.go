package node

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Unreachable reports whether the kubelet of a Node is off the network.
func Unreachable(obj *corev1.Node) bool { return obj.Annotations[v1alpha1.UnreachableAnnotation] != "" }

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
