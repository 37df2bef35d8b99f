package snapshot

import (
	"encoding/json"
	"maps"
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
	s.group()
	s.focus = &focus{
		nodes: s.focused(s.kinds.about(func(k *group) bool {
			return slices.ContainsFunc(selectors, func(sel labels.Selector) bool { return sel.Matches(k.labels) })
		}), func(n *focused, pods []fwk.PodInfo) { n.pods = pods }),
		anti: slices.DeleteFunc(s.focused(s.keepers.about(func(k *group) bool {
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

// group is bound Pods that have something in common: their labels, or their terms.
type group struct {
	labels labels.Set
	terms  []fwk.AffinityTerm
	// nodes are the Pods by the names of their Nodes.
	nodes map[string][]fwk.PodInfo
	count int
}

// groups are in the order in which they came.
type groups struct {
	list []*group
	by   map[string]*group
}

func newGroups() *groups { return &groups{by: map[string]*group{}} }

func (g *groups) add(key string, like group, info fwk.PodInfo) {
	k, ok := g.by[key]
	if !ok {
		k = &group{labels: like.labels, terms: like.terms, nodes: map[string][]fwk.PodInfo{}}
		g.by[key], g.list = k, append(g.list, k)
	}
	node := info.GetPod().Spec.NodeName
	k.nodes[node] = append(k.nodes[node], info)
	k.count++
}

func (g *groups) remove(key string, info fwk.PodInfo) {
	k, ok := g.by[key]
	if !ok {
		return
	}
	node := info.GetPod().Spec.NodeName
	k.nodes[node] = slices.DeleteFunc(k.nodes[node], func(p fwk.PodInfo) bool { return p == info })
	if len(k.nodes[node]) == 0 {
		delete(k.nodes, node)
	}
	if k.count--; k.count == 0 {
		delete(g.by, key)
		g.list = slices.DeleteFunc(g.list, func(other *group) bool { return other == k })
	}
}

// about returns the Pods of the groups that is says, by the names of their Nodes. Plugins only
// count them, so that their order does not matter.
func (g *groups) about(is func(*group) bool) map[string][]fwk.PodInfo {
	var out map[string][]fwk.PodInfo
	shared := false
	for _, k := range g.list {
		switch {
		case !is(k):
		case out == nil:
			out, shared = k.nodes, true
		default:
			if shared {
				out, shared = maps.Clone(out), false
			}
			for node, pods := range k.nodes {
				out[node] = slices.Concat(out[node], pods)
			}
		}
	}
	return out
}

// group begins to keep Pods by what they have in common. Clusters without terms never do.
func (s *Snapshot) group() {
	if s.kinds != nil {
		return
	}
	s.kinds, s.keepers = newGroups(), newGroups()
	for _, info := range s.bound {
		s.regroup(info, true)
	}
}

// regroup takes a bound Pod in, or out.
func (s *Snapshot) regroup(info *framework.PodInfo, in bool) {
	if s.kinds == nil {
		return
	}
	kind, keeper := labels.Set(info.Pod.Labels).String(), keeperOf(info)
	if in {
		s.kinds.add(kind, group{labels: info.Pod.Labels}, info)
	} else {
		s.kinds.remove(kind, info)
	}
	switch {
	case keeper == "":
	case in:
		s.keepers.add(keeper, group{terms: info.RequiredAntiAffinityTerms}, info)
	default:
		s.keepers.remove(keeper, info)
	}
}

// keeperOf is what a Pod's required anti-affinity says, empty if it has none.
func keeperOf(info *framework.PodInfo) string {
	if len(info.RequiredAntiAffinityTerms) == 0 {
		return ""
	}
	text, err := json.Marshal(info.Pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	if err != nil {
		panic("scheduler: anti-affinity of a Pod: " + err.Error()) // it is made of strings
	}
	return string(text)
}
