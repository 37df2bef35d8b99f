package node

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

// withExtended adds to a machine's capacity the extended resources that clients have written
// into its Node, as Kubernetes' documentation tells administrators to; old is nil for none. Source:
// MachineInfo in k8s.io/kubernetes pkg/kubelet/nodestatus v1.37.2, which changes only what the
// machine has.
func withExtended(machine corev1.ResourceList, old *corev1.Node) corev1.ResourceList {
	if old == nil {
		return machine
	}
	out := maps.Clone(machine)
	for name, quantity := range old.Status.Capacity {
		if _, has := machine[name]; !has && helper.IsExtendedResourceName(name) {
			out[name] = quantity
		}
	}
	return out
}

// allocatable is what Pods can have of a capacity: all, as nothing is reserved.
func allocatable(capacity corev1.ResourceList) corev1.ResourceList {
	out := maps.Clone(capacity)
	for name, quantity := range out {
		if quantity.Sign() < 0 {
			out[name] = *resource.NewQuantity(0, quantity.Format)
		}
	}
	return out
}

// accounted reports whether all of the Node's extended resources can be allocated, and no
// others.
//
// Deviation: the kubelet sees to it at once; upstream's does with its next status, within ten
// seconds.
func accounted(obj *corev1.Node) bool {
	want := allocatable(obj.Status.Capacity)
	for name, quantity := range want {
		if have, has := obj.Status.Allocatable[name]; helper.IsExtendedResourceName(name) && (!has || have.Cmp(quantity) != 0) {
			return false
		}
	}
	for name := range obj.Status.Allocatable {
		if _, has := want[name]; !has && helper.IsExtendedResourceName(name) {
			return false
		}
	}
	return true
}
