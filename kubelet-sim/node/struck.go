package node

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Unreachable reports whether the kubelet of a Node is off the network.
func Unreachable(obj *corev1.Node) bool { return obj.Annotations[v1alpha1.UnreachableAnnotation] != "" }

// Pressed reports what a Node lacks: "memory", "ephemeral-storage", or nothing.
func Pressed(obj *corev1.Node) corev1.ResourceName {
	switch {
	case obj.Annotations[v1alpha1.MemoryPressureAnnotation] != "":
		return corev1.ResourceMemory
	case obj.Annotations[v1alpha1.DiskPressureAnnotation] != "":
		return corev1.ResourceEphemeralStorage
	}
	return ""
}

// Boot names the last boot of a Node's machine; empty for its first.
func Boot(obj *corev1.Node) string { return obj.Annotations[v1alpha1.BootAnnotation] }

// Struck reports whether a commit of a Node says that something happens to it, or is
// over: it is cut off, restarted, under pressure.
func Struck(c engine.Commit) bool {
	obj, ok := c.Object.(*corev1.Node)
	if !ok {
		return false
	}
	old, ok := c.Old.(*corev1.Node)
	if !ok {
		old = &corev1.Node{}
	}
	return Unreachable(obj) != Unreachable(old) || Pressed(obj) != Pressed(old) || Boot(obj) != Boot(old)
}
