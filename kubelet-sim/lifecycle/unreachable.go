package lifecycle

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// A node that is off the network (v1alpha1.UnreachableAnnotation) has its Pods left
// alone: no step is taken for them. When it is back, their programs catch up at
// the instants at which they would have gone on, and the kubelet reports what
// has become of them.
//
// Deviation: a real kubelet would restart containers on its own in the meantime;
// ours does when it is back. The logs show what was printed until it went.

func (r *Reconciler) unreachable(name string) bool {
	obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name)
	return ok && node.Unreachable(obj)
}

// keysOn returns the keys of a node's Pods and of their probes.
func (r *Reconciler) keysOn(name string) []engine.Key {
	var keys []engine.Key
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		if pod.Spec.NodeName != name {
			continue
		}
		pod := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
		keys = append(keys, r.key(pod))
		run := r.runs[pod]
		if run == nil {
			continue
		}
		for i := range run.Containers {
			for _, p := range run.Containers[i].Probes {
				keys = append(keys, r.probeKey(run, i, p.Type))
			}
		}
	}
	return keys
}
