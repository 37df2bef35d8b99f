package snapshot

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// layout is where the Nodes are in the list, and in which domains.
type layout struct {
	places     map[string]int
	topologies map[string]Topology
}

// Topology says in which domain of a topology key each Node is.
type Topology struct {
	// Of has a number for each of Nodes, and -1 for one that lacks the label.
	Of []int
	// Domains is how many domains there are, and Blank that of the empty value, or -1.
	Domains, Blank int
}

func (s *Snapshot) laidOut() *layout {
	if s.layout == nil {
		s.layout = &layout{places: make(map[string]int, len(s.nodes)), topologies: map[string]Topology{}}
		for i, n := range s.nodes {
			s.layout.places[n.Node().Name] = i
		}
	}
	return s.layout
}

// Topology returns the domains of a topology key. They must not be changed.
func (s *Snapshot) Topology(key string) Topology {
	l := s.laidOut()
	t, ok := l.topologies[key]
	if !ok {
		t = Topology{Of: make([]int, len(s.nodes)), Blank: -1}
		domains := map[string]int{}
		for i, n := range s.nodes {
			value, has := n.Node().Labels[key]
			if !has {
				t.Of[i] = -1
				continue
			}
			domain, known := domains[value]
			if !known {
				domain = len(domains)
				domains[value] = domain
			}
			t.Of[i] = domain
		}
		t.Domains = len(domains)
		if blank, has := domains[""]; has {
			t.Blank = blank
		}
		l.topologies[key] = t
	}
	return t
}

// Count returns for each of Nodes how many of its Pods are such; such sees only their
// namespace and labels. With live, those that are being deleted do not count.
func (s *Snapshot) Count(live bool, such func(*corev1.Pod) bool) []int {
	out := make([]int, len(s.nodes))
	for _, k := range s.grouped().kinds.list {
		if such(k.like) {
			k.addTo(s, out, live)
		}
	}
	return out
}

// KeptOut returns for each of Nodes whether the required anti-affinity of a bound Pod keeps
// this one out; nil if none does. namespace are the labels of the Pod's namespace.
func (s *Snapshot) KeptOut(pod *corev1.Pod, namespace labels.Set) []bool {
	if len(s.lists().anti) == 0 {
		return nil
	}
	var out []bool
	for _, k := range s.grouped().keepers.list {
		for i := range k.terms {
			if !k.terms[i].Matches(pod, namespace) {
				continue
			}
			on := make([]int, len(s.nodes))
			k.addTo(s, on, false)
			out = s.Topology(k.terms[i].TopologyKey).Mark(out, on)
		}
	}
	return out
}

// Mark sets for each Node whether it shares a domain with one that has a count. It makes the
// list if there is none.
func (t Topology) Mark(list []bool, counts []int) []bool {
	if list == nil {
		list = make([]bool, len(counts))
	}
	taken := make([]bool, t.Domains)
	for i, domain := range t.Of {
		if domain >= 0 && counts[i] > 0 {
			taken[domain] = true
		}
	}
	for i, domain := range t.Of {
		if domain >= 0 && taken[domain] {
			list[i] = true
		}
	}
	return list
}

// WishedFor reports whether a term of a bound Pod other than required anti-affinity is about
// the Pod, so that InterPodAffinity has a say in which Node is best.
func (s *Snapshot) WishedFor(pod *corev1.Pod, namespace labels.Set) bool {
	if len(s.lists().any) == 0 {
		return false
	}
	for _, k := range s.grouped().wishers.list {
		for i := range k.terms {
			if k.terms[i].Matches(pod, namespace) {
				return true
			}
		}
	}
	return false
}

// addTo adds to each of Nodes how many Pods of the group it has.
func (k *group) addTo(s *Snapshot, out []int, live bool) {
	l := s.laidOut()
	if k.count < len(out)/sparse {
		for node, pods := range k.nodes {
			i, present := l.places[node]
			if !present {
				continue
			}
			for _, p := range pods {
				if !live || p.GetPod().DeletionTimestamp == nil {
					out[i]++
				}
			}
		}
		return
	}
	if k.tally == nil || k.tally.layout != l {
		k.tally = tallyOf(l, k.nodes)
	}
	counts := k.tally.all
	if live {
		counts = k.tally.live
	}
	for i, n := range counts {
		out[i] += int(n)
	}
}
