package profile

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/helper"
)

// DefaultSelector returns the selector of the cluster's default constraints for a Pod: that of
// its Services and of its controller, empty if it has none.
func (p *Profile) DefaultSelector(pod *corev1.Pod) labels.Selector { return p.selector(pod) }

// defaultSelector returns what DefaultSelector calls.
func defaultSelector(informers informerFactory) func(*corev1.Pod) labels.Selector {
	core, apps := informers.Core().V1(), informers.Apps().V1()
	services, controllers := core.Services().Lister(), core.ReplicationControllers().Lister()
	sets, stateful := apps.ReplicaSets().Lister(), apps.StatefulSets().Lister()
	return func(pod *corev1.Pod) labels.Selector {
		return helper.DefaultSelector(pod, services, controllers, sets, stateful)
	}
}
