package snapshot

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Focus lets the lists of Nodes show only those bound Pods that terms and constraints of a Pod
// may be about, or whose terms may be about it, until the function that it returns is called.
// PreFilter of InterPodAffinity and PodTopologySpread look at every bound Pod, and count those
// that match; with 5,000 of them that takes longer than all the rest. Here each set of labels,
// and each set of terms, is looked at once, however many Pods have it.
//
// It is for PreFilter only: other extension points count all Pods of a Node.
func (s *Snapshot) Focus(info *framework.PodInfo) (end func()) {
	selectors := selectorsOf(info)
	if len(selectors) == 0 && len(s.lists().anti) == 0 {
		return func() {}
	}
	s.grouped()
	s.focus = &focus{
		nodes: s.focused(s.groups.kinds.about(func(k *group) bool {
			return slices.ContainsFunc(selectors, func(sel labels.Selector) bool { return sel.Matches(labels.Set(k.like.Labels)) })
		}), func(n *focused, pods []fwk.PodInfo) { n.pods = pods }),
		anti: slices.DeleteFunc(s.focused(s.groups.keepers.about(func(k *group) bool {
			return slices.ContainsFunc(k.terms, func(t fwk.AffinityTerm) bool { return t.Selector.Matches(labels.Set(info.Pod.Labels)) })
		}), func(n *focused, pods []fwk.PodInfo) { n.anti = pods }), func(n fwk.NodeInfo) bool { return len(n.GetPodsWithRequiredAntiAffinity()) == 0 }),
	}
	return func() { s.focus = nil }
}

// focus is what the lists show instead of all.
type focus struct{ nodes, anti []fwk.NodeInfo }

// focused is a Node of which only some Pods are seen.
type focused struct {
	fwk.NodeInfo
	pods, anti []fwk.PodInfo
}

// GetPods implements fwk.NodeInfo.
func (n *focused) GetPods() []fwk.PodInfo { return n.pods }

// GetPodsWithRequiredAntiAffinity implements fwk.NodeInfo.
func (n *focused) GetPodsWithRequiredAntiAffinity() []fwk.PodInfo { return n.anti }

func (s *Snapshot) focused(pods map[string][]fwk.PodInfo, set func(*focused, []fwk.PodInfo)) []fwk.NodeInfo {
	room, out := make([]focused, len(s.nodes)), make([]fwk.NodeInfo, len(s.nodes))
	for i, n := range s.nodes {
		room[i].NodeInfo = n
		set(&room[i], pods[n.Node().Name])
		out[i] = &room[i]
	}
	return out
}

// selectorsOf are those by which a Pod's required terms and constraints choose other Pods. What
// else they say of them, such as their namespaces, is left to the plugins.
func selectorsOf(info *framework.PodInfo) []labels.Selector {
	var out []labels.Selector
	for _, terms := range [][]fwk.AffinityTerm{info.RequiredAffinityTerms, info.RequiredAntiAffinityTerms} {
		for _, t := range terms {
			out = append(out, t.Selector)
		}
	}
	for _, c := range info.Pod.Spec.TopologySpreadConstraints {
		// The plugin refuses a Pod with a selector that cannot be parsed.
		if selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector); err == nil {
			out = append(out, selector)
		}
	}
	return out
}
