package scheduler

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// keptApart returns for each Node whether required anti-affinity, the Pod's own or that of bound
// Pods, keeps the Pod away; nil if there is none. Source: PreFilter and Filter of
// InterPodAffinity, k8s.io/kubernetes pkg/scheduler/framework/plugins v1.37.2.
func (r *Reconciler) keptApart(c *candidate) []bool {
	out := r.snapshot.KeptOut(c.pod, r.namespaceLabels(c.pod))
	for _, t := range c.info.RequiredAntiAffinityTerms {
		t = r.resolved(t)
		on := r.snapshot.Count(false, func(p *corev1.Pod) bool { return t.Matches(p, nil) })
		out = r.snapshot.Topology(t.TopologyKey).Mark(out, on)
	}
	return out
}

// resolved replaces the selector of namespaces by those that there are. Source:
// mergeAffinityTermNamespacesIfNotEmpty of InterPodAffinity.
func (r *Reconciler) resolved(t fwk.AffinityTerm) fwk.AffinityTerm {
	if _, selectable := t.NamespaceSelector.Requirements(); !selectable || t.NamespaceSelector.Empty() {
		return t
	}
	t.Namespaces = t.Namespaces.Clone()
	for _, ns := range engine.List[*corev1.Namespace](r.view, engine.Namespaces, "") {
		if t.NamespaceSelector.Matches(labels.Set(ns.Labels)) {
			t.Namespaces.Insert(ns.Name)
		}
	}
	t.NamespaceSelector = labels.Nothing()
	return t
}

// namespaceLabels are those of the Pod's namespace.
func (r *Reconciler) namespaceLabels(pod *corev1.Pod) labels.Set {
	ns, ok := engine.Get[*corev1.Namespace](r.view, engine.Namespaces, "", pod.Namespace)
	if !ok {
		return nil
	}
	return ns.Labels
}
