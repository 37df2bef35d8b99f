package scheduler

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/scheduler/snapshot"
)

// spread is a topology spread constraint of a Pod, held against all Nodes. What this file says
// of it follows PodTopologySpread, k8s.io/kubernetes pkg/scheduler/framework/plugins v1.37.2.
type spread struct {
	corev1.TopologySpreadConstraint
	selector labels.Selector
	topology snapshot.Topology
	// on is how many Pods each Node has that count.
	on []int
	// self is 1 if the Pod counts itself.
	self int
}

// spreadsOf returns the Pod's constraints of one kind. Source: filterTopologySpreadConstraints.
func (r *Reconciler) spreadsOf(c *candidate, constraints []corev1.TopologySpreadConstraint, action corev1.UnsatisfiableConstraintAction) ([]spread, error) {
	var out []spread
	for _, constraint := range constraints {
		if constraint.WhenUnsatisfiable != action {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(constraint.LabelSelector)
		if err != nil {
			return nil, err
		}
		out = append(out, r.spread(c, constraint, withKeys(selector, constraint.MatchLabelKeys, c.pod.Labels)))
	}
	return out, nil
}

// withKeys adds that Pods have the same labels of these keys. Source: mergeLabelSetWithSelector.
func withKeys(selector labels.Selector, keys []string, of map[string]string) labels.Selector {
	same := labels.Set{}
	for _, key := range keys {
		if value, ok := of[key]; ok {
			same[key] = value
		}
	}
	requirements, selectable := selector.Requirements()
	if len(same) == 0 || !selectable {
		return selector
	}
	return labels.SelectorFromSet(same).Add(requirements...)
}

func (r *Reconciler) spread(c *candidate, constraint corev1.TopologySpreadConstraint, selector labels.Selector) spread {
	s := spread{TopologySpreadConstraint: constraint, selector: selector, topology: r.snapshot.Topology(constraint.TopologyKey)}
	s.on = r.snapshot.Count(true, func(p *corev1.Pod) bool {
		return p.Namespace == c.pod.Namespace && !selector.Empty() && selector.Matches(labels.Set(p.Labels))
	})
	if selector.Matches(labels.Set(c.pod.Labels)) {
		s.self = 1
	}
	return s
}

// counts reports whether the Pods of a Node count. Source: matchNodeInclusionPolicies.
func (s *spread) counts(c *candidate, n fwk.NodeInfo) bool {
	if c.selective && ptr.Deref(s.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor) == corev1.NodeInclusionPolicyHonor {
		if match, _ := c.affinity.Match(n.Node()); !match {
			return false
		}
	}
	return ptr.Deref(s.NodeTaintsPolicy, corev1.NodeInclusionPolicyIgnore) == corev1.NodeInclusionPolicyIgnore || c.tolerates(n.Node())
}

// haveAll reports whether a Node has the labels of all constraints.
func haveAll(spreads []spread, node int) bool {
	for i := range spreads {
		if spreads[i].topology.Of[node] < 0 {
			return false
		}
	}
	return true
}

// skewed sets for each Node whether one more Pod on it would be too many. Source:
// calPreFilterState and Filter.
func (r *Reconciler) skewed(c *candidate, spreads []spread, out []bool) []bool {
	nodes := r.snapshot.Nodes()
	if len(spreads) > 0 && out == nil {
		out = make([]bool, len(nodes))
	}
	for k := range spreads {
		s := &spreads[k]
		sums, seen := make([]int, s.topology.Domains), make([]bool, s.topology.Domains)
		for i, domain := range s.topology.Of {
			if haveAll(spreads, i) && s.counts(c, nodes[i]) {
				sums[domain] += s.on[i]
				seen[domain] = true
			}
		}
		fewest, domains := math.MaxInt32, 0
		for domain, sum := range sums {
			if seen[domain] {
				fewest, domains = min(fewest, sum), domains+1
			}
		}
		if domains < int(ptr.Deref(s.MinDomains, 1)) {
			fewest = 0
		}
		for i, domain := range s.topology.Of {
			out[i] = out[i] || domain < 0 || sums[domain]+s.self-fewest > int(s.MaxSkew)
		}
	}
	return out
}

// preferSpread adds what soft constraints make of the feasible Nodes, of which at has the places
// in the snapshot. With all, Nodes that lack a label are not judged. Source: PreScore, Score and
// NormalizeScore.
func (r *Reconciler) preferSpread(c *candidate, scores []int64, at []int, spreads []spread, all bool) {
	if len(spreads) == 0 {
		return
	}
	judged := make([]bool, len(at))
	for j, node := range at {
		judged[j] = !all || haveAll(spreads, node)
	}
	raw := make([]float64, len(at))
	for k := range spreads {
		s := &spreads[k]
		count, size := r.countSoft(c, spreads, k, at, judged, all)
		weight := math.Log(float64(size + 2))
		for j, node := range at {
			if judged[j] && s.topology.Of[node] >= 0 {
				// The outer conversion keeps arm64 from fusing the product with the sum.
				raw[j] += float64(float64(count(node))*weight) + float64(s.MaxSkew-1) //nolint:unconvert // see above
			}
		}
	}
	addSpread(scores, raw, judged)
}

// countSoft returns how many Pods count for a Node, and how many domains the feasible Nodes are
// in. Source: initPreScoreState and PreScore.
func (r *Reconciler) countSoft(c *candidate, spreads []spread, k int, at []int, judged []bool, all bool) (count func(node int) int, size int) {
	s := &spreads[k]
	if s.TopologyKey == corev1.LabelHostname {
		for _, is := range judged {
			if is {
				size++
			}
		}
		return func(node int) int { return s.on[node] }, size
	}
	// A Node without the label is in one domain with those where its value is empty.
	blank := s.topology.Domains
	domain := func(node int) int {
		if d := s.topology.Of[node]; d >= 0 && d != s.topology.Blank {
			return d
		}
		return blank
	}
	wanted, sums := make([]bool, blank+1), make([]int, blank+1)
	for j, node := range at {
		if judged[j] && !wanted[domain(node)] {
			wanted[domain(node)] = true
			size++
		}
	}
	for i, n := range r.snapshot.Nodes() {
		if wanted[domain(i)] && s.on[i] > 0 && (!all || haveAll(spreads, i)) && s.counts(c, n) {
			sums[domain(i)] += s.on[i]
		}
	}
	return func(node int) int { return sums[domain(node)] }, size
}

// addSpread adds the scores of soft constraints, so that the fewest Pods score best.
func addSpread(scores []int64, raw []float64, judged []bool) {
	lowest, highest := int64(math.MaxInt64), int64(0)
	rounded := make([]int64, len(raw))
	for j := range raw {
		if rounded[j] = int64(math.Round(raw[j])); judged[j] {
			lowest, highest = min(lowest, rounded[j]), max(highest, rounded[j])
		}
	}
	for j := range scores {
		switch {
		case !judged[j]:
		case highest == 0:
			scores[j] += weightSpread * scoreMax
		default:
			scores[j] += weightSpread * (scoreMax * (highest + lowest - rounded[j]) / highest)
		}
	}
}

// softSpreads returns the constraints that only say which Node is better: the Pod's own, or the
// cluster's for a Pod of a Service or of a controller that has a selector. all says that they
// judge Nodes that have all labels only. Source: initPreScoreState and buildDefaultConstraints.
func (r *Reconciler) softSpreads(c *candidate) (spreads []spread, all bool, err error) {
	if own := c.pod.Spec.TopologySpreadConstraints; len(own) > 0 {
		spreads, err = r.spreadsOf(c, own, corev1.ScheduleAnyway)
		return spreads, true, err
	}
	selector := r.profile.DefaultSelector(c.pod)
	if selector.Empty() {
		return nil, false, nil
	}
	for _, constraint := range defaultSpreads() {
		spreads = append(spreads, r.spread(c, constraint, selector))
	}
	return spreads, false, nil
}

// defaultSpreads are the cluster's constraints. Source: systemDefaultConstraints of
// PodTopologySpread.
func defaultSpreads() []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{
		{TopologyKey: corev1.LabelHostname, MaxSkew: 3}, {TopologyKey: corev1.LabelTopologyZone, MaxSkew: 5},
	}
}
