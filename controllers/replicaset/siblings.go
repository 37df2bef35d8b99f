package replicaset

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// siblingIndex files ReplicaSets by the UID of their controller, and hashIndex Pods by
// their hash of a Deployment's template.
const (
	siblingIndex = "siblings"
	hashIndex    = "hash"
)

func (r *Reconciler) indexSiblings() {
	r.view.Index(engine.ReplicaSets, siblingIndex, func(obj engine.Object) []string {
		if ref := metav1.GetControllerOfNoCopy(obj); ref != nil {
			return []string{string(ref.UID)}
		}
		return nil
	})
	r.view.Index(engine.Pods, hashIndex, func(obj engine.Object) []string {
		if hash := obj.GetLabels()[appsv1.DefaultDeploymentUniqueLabelKey]; hash != "" {
			return []string{hashKey(obj.GetNamespace(), hash)}
		}
		return nil
	})
}

func hashKey(namespace, hash string) string { return namespace + "/" + hash }

// neighbours counts the running Pods that rs or another of its Deployment selects, whosever
// they are, on each node. It is nil if nobody has to choose among rs's Pods. Those of a
// ReplicaSet that nobody controls have no neighbours. Source: getIndirectlyRelatedPods in
// k8s.io/kubernetes pkg/controller/replicaset v1.37.2.
func (r *Reconciler) neighbours(rs *appsv1.ReplicaSet, active []*corev1.Pod) map[string]int {
	ref := metav1.GetControllerOfNoCopy(rs)
	surplus := min(len(active)-replicas(rs), burstReplicas)
	if ref == nil || r.kind.resource != engine.ReplicaSets || surplus <= 0 || surplus == len(active) {
		return nil
	}
	on := map[string]int{}
	seen := map[types.UID]bool{}
	for _, sibling := range engine.ByIndex[*appsv1.ReplicaSet](r.view, engine.ReplicaSets, siblingIndex, string(ref.UID)) {
		for _, pod := range r.selected(sibling) {
			if !seen[pod.UID] && controller.IsPodActive(pod) {
				on[pod.Spec.NodeName]++
			}
			seen[pod.UID] = true
		}
	}
	return on
}

// selected returns the Pods that rs selects.
func (r *Reconciler) selected(rs *appsv1.ReplicaSet) []*corev1.Pod {
	selector, err := selectorOf(rs)
	if err != nil {
		return nil // validation has refused such a selector
	}
	var all []*corev1.Pod
	if hash, ok := selector.RequiresExactMatch(appsv1.DefaultDeploymentUniqueLabelKey); ok {
		all = engine.ByIndex[*corev1.Pod](r.view, engine.Pods, hashIndex, hashKey(rs.Namespace, hash))
	} else {
		all = engine.List[*corev1.Pod](r.view, engine.Pods, rs.Namespace)
	}
	var out []*corev1.Pod
	for _, pod := range all {
		if selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, pod)
		}
	}
	return out
}
