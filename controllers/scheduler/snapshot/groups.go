package snapshot

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// grouping has the bound Pods of each namespace by their labels (kinds), by their required
// anti-affinity (keepers), and by what else their terms say of other Pods (wishers): each set
// of labels or terms is then looked at once, however many Pods have it.
type grouping struct{ kinds, keepers, wishers *groups }

// group is bound Pods of one namespace that have something in common.
type group struct {
	// like has the namespace and the labels of a kind.
	like *corev1.Pod
	// terms are required anti-affinity of keepers, and all other terms of wishers.
	terms []fwk.AffinityTerm
	// nodes are the Pods by the names of their Nodes.
	nodes map[string][]fwk.PodInfo
	count int
	tally *tally
}

// groups are in the order in which they came.
type groups struct {
	list []*group
	by   map[string]*group
}

func newGroups() *groups { return &groups{by: map[string]*group{}} }

// grouped begins to keep Pods by what they have in common. Clusters in which no Pod is placed
// by others never do.
func (s *Snapshot) grouped() *grouping {
	if s.groups == nil {
		s.groups = &grouping{kinds: newGroups(), keepers: newGroups(), wishers: newGroups()}
		for _, info := range s.bound {
			s.groups.regroup(s, info, true)
		}
	}
	return s.groups
}

// regroup takes a bound Pod in, or out.
func (g *grouping) regroup(s *Snapshot, info *framework.PodInfo, in bool) {
	if g == nil {
		return
	}
	for _, of := range []struct {
		groups *groups
		key    string
		terms  []fwk.AffinityTerm
	}{
		{g.kinds, labels.Set(info.Pod.Labels).String(), nil},
		{g.keepers, keeperOf(info), info.RequiredAntiAffinityTerms},
		{g.wishers, wisherOf(info), wishesOf(info)},
	} {
		switch key := info.Pod.Namespace + "/" + of.key; {
		case of.key == "" && of.groups != g.kinds:
		case in:
			of.groups.add(s, key, of.terms, info)
		default:
			of.groups.remove(s, key, info)
		}
	}
}

func (g *groups) add(s *Snapshot, key string, terms []fwk.AffinityTerm, info fwk.PodInfo) {
	k, ok := g.by[key]
	if !ok {
		like := &corev1.Pod{}
		like.Namespace, like.Labels = info.GetPod().Namespace, info.GetPod().Labels
		k = &group{like: like, terms: terms, nodes: map[string][]fwk.PodInfo{}}
		g.by[key], g.list = k, append(g.list, k)
	}
	node := info.GetPod().Spec.NodeName
	k.nodes[node] = append(k.nodes[node], info)
	k.count++
	k.tally.add(s, info.GetPod(), 1)
}

func (g *groups) remove(s *Snapshot, key string, info fwk.PodInfo) {
	k, ok := g.by[key]
	if !ok {
		return
	}
	node := info.GetPod().Spec.NodeName
	k.nodes[node] = slices.DeleteFunc(k.nodes[node], func(p fwk.PodInfo) bool { return p == info })
	if len(k.nodes[node]) == 0 {
		delete(k.nodes, node)
	}
	k.tally.add(s, info.GetPod(), -1)
	if k.count--; k.count == 0 {
		delete(g.by, key)
		g.list = slices.DeleteFunc(g.list, func(other *group) bool { return other == k })
	}
}

// end takes in that a bound Pod is being deleted.
func (g *grouping) end(s *Snapshot, info *framework.PodInfo) {
	if g == nil {
		return
	}
	if k, ok := g.kinds.by[info.Pod.Namespace+"/"+labels.Set(info.Pod.Labels).String()]; ok {
		k.tally.end(s, info.Pod.Spec.NodeName)
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

// keeperOf is what a Pod's required anti-affinity says, empty if it has none.
func keeperOf(info *framework.PodInfo) string {
	if len(info.RequiredAntiAffinityTerms) == 0 {
		return ""
	}
	return textOf(info.Pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
}

// wisherOf is what a Pod's other terms on Pods say, empty if it has none.
func wisherOf(info *framework.PodInfo) string {
	if len(info.RequiredAffinityTerms)+len(info.PreferredAffinityTerms)+len(info.PreferredAntiAffinityTerms) == 0 {
		return ""
	}
	return textOf(info.Pod.Spec.Affinity)
}

// wishesOf are the terms of wisherOf.
func wishesOf(info *framework.PodInfo) []fwk.AffinityTerm {
	out := slices.Clone(info.RequiredAffinityTerms)
	for _, terms := range [][]fwk.WeightedAffinityTerm{info.PreferredAffinityTerms, info.PreferredAntiAffinityTerms} {
		for i := range terms {
			out = append(out, terms[i].AffinityTerm)
		}
	}
	return out
}

func textOf(terms any) string {
	text, err := json.Marshal(terms)
	if err != nil {
		panic("scheduler: affinity of a Pod: " + err.Error()) // it is made of strings and numbers
	}
	return string(text)
}
