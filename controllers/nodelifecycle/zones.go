package nodelifecycle

import (
	"cmp"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodetopology "k8s.io/component-helpers/node/topology"
	taintutils "k8s.io/kubernetes/pkg/util/taints"
)

// How fast Nodes get the taints that end Pods. Unit: Nodes per second of virtual
// time; a share; Nodes. Source: the defaults of --node-eviction-rate,
// --secondary-node-eviction-rate, --unhealthy-zone-threshold and
// --large-cluster-size-threshold of kube-controller-manager v1.37.2.
const (
	evictionRate           = 0.1
	secondaryEvictionRate  = 0.01
	unhealthyZoneThreshold = 0.55
	largeClusterThreshold  = 50
)

// zones is what is remembered of the zones.
type zones struct {
	// ByKey holds the zones by nodetopology.GetZoneKey.
	ByKey map[string]zone
	// Since is when the last time ended in which no Node was ready. What Nodes
	// did not say before that is not held against them.
	Since time.Time
}

// zone is one failure zone.
type zone struct {
	State   state
	Limiter limiter
}

// state is how many Nodes of a zone are ready.
type state string

const (
	initial           state = "Initial"
	normal            state = "Normal"
	fullDisruption    state = "FullDisruption"
	partialDisruption state = "PartialDisruption"
)

// stateOf is Controller.ComputeZoneState, k8s.io/kubernetes pkg/controller/nodelifecycle v1.37.2.
func stateOf(nodes []*corev1.Node) state {
	ready := 0
	for _, node := range nodes {
		if readiness(node) == corev1.ConditionTrue {
			ready++
		}
	}
	rest := len(nodes) - ready
	switch {
	case ready == 0 && rest > 0:
		return fullDisruption
	case rest > 2 && float64(rest)/float64(len(nodes)) >= unhealthyZoneThreshold:
		return partialDisruption
	}
	return normal
}

// rateOf is how fast a zone's Nodes are tainted.
func rateOf(s state, nodes int) float64 {
	switch {
	case s != partialDisruption:
		return evictionRate
	case nodes > largeClusterThreshold:
		return secondaryEvictionRate
	}
	return 0
}

// limiter is a bucket for one token.
type limiter struct {
	// Rate is how many tokens come in a second; with 0 there is none.
	Rate float64
	// Next is when the next one is there.
	Next time.Time
}

func (l limiter) ready(now time.Time) bool { return l.Rate > 0 && !now.Before(l.Next) }

// empty returns a bucket of a rate whose token has just been taken.
func empty(rate float64, now time.Time) limiter {
	l := limiter{Rate: rate}
	if rate > 0 {
		l.Next = now.Add(time.Duration(float64(time.Second) / rate))
	}
	return l
}

// swap changes the rate. Source: RateLimitedTimedQueue.SwapLimiter in
// k8s.io/kubernetes pkg/controller/nodelifecycle/scheduler v1.37.2.
func (l limiter) swap(rate float64, now time.Time) limiter {
	switch {
	case l.Rate == rate:
		return l
	case l.ready(now):
		return limiter{Rate: rate, Next: now}
	}
	return empty(rate, now)
}

// zonesPlan is which taints with the effect NoExecute to change.
type zonesPlan struct {
	Zones zones
	// Taint get the one that their condition Ready asks for, Swap get it in the
	// place of the other, Untaint lose both.
	Taint, Swap, Untaint []*corev1.Node
	WakeAt               time.Time
}

// excluded is the label of Nodes that do not count for a zone's state.
const excluded = "node.kubernetes.io/exclude-disruption"

// decideZones reads nothing but its arguments. Source:
// Controller.handleDisruption and doNoExecuteTaintingPass, k8s.io/kubernetes
// pkg/controller/nodelifecycle v1.37.2.
func decideZones(nodes []*corev1.Node, before zones, now time.Time) zonesPlan {
	all, counted := byZone(nodes)
	p := zonesPlan{Zones: zones{ByKey: map[string]zone{}, Since: before.Since}}
	for key := range all {
		z, seen := before.ByKey[key]
		if !seen {
			z = zone{State: initial, Limiter: limiter{Rate: evictionRate, Next: now}}
		}
		p.Zones.ByKey[key] = z
	}
	if stopped := p.judge(counted, now); stopped {
		p.Untaint = slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool { return !tainted(n) })
		return p
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		p.pace(key, all[key], now)
	}
	return p
}

// byZone sorts the Nodes by zone; those in counted count for its state.
func byZone(nodes []*corev1.Node) (all, counted map[string][]*corev1.Node) {
	all, counted = map[string][]*corev1.Node{}, map[string][]*corev1.Node{}
	for _, node := range nodes {
		key := nodetopology.GetZoneKey(node)
		all[key] = append(all[key], node)
		if _, ok := node.Labels[excluded]; !ok {
			counted[key] = append(counted[key], node)
		}
	}
	return all, counted
}

// judge gives the zones their states. It reports whether no Node of the cluster
// is ready any more: then the fault is rather the control plane's, and no Pod is
// ended for it.
func (p *zonesPlan) judge(counted map[string][]*corev1.Node, now time.Time) (stopped bool) {
	lost, wereLost := len(counted) > 0, len(counted) > 0
	for key, nodes := range counted {
		lost = lost && stateOf(nodes) == fullDisruption
		wereLost = wereLost && p.Zones.ByKey[key].State == fullDisruption
	}
	for key, nodes := range counted {
		z := p.Zones.ByKey[key]
		was := z.State
		z.State = stateOf(nodes)
		switch {
		case lost:
			z.Limiter = z.Limiter.swap(0, now)
		case wereLost || was != z.State:
			z.Limiter = z.Limiter.swap(rateOf(z.State, len(nodes)), now)
		}
		p.Zones.ByKey[key] = z
	}
	if wereLost && !lost {
		p.Zones.Since = now
	}
	return lost && !wereLost
}

// pace says which Nodes of one zone get another taint: at most one that had
// none, when its turn has come.
func (p *zonesPlan) pace(key string, nodes []*corev1.Node, now time.Time) {
	var waiting []*corev1.Node
	for _, node := range nodes {
		want, other := noExecuteTaints(node)
		switch {
		case readiness(node) == corev1.ConditionTrue:
			if tainted(node) {
				p.Untaint = append(p.Untaint, node)
			}
		case want == nil || taintutils.TaintExists(node.Spec.Taints, want):
		case taintutils.TaintExists(node.Spec.Taints, other):
			p.Swap = append(p.Swap, node)
		default:
			waiting = append(waiting, node)
		}
	}
	z := p.Zones.ByKey[key]
	if len(waiting) == 0 || z.Limiter.Rate == 0 {
		return
	}
	if z.Limiter.ready(now) {
		first := slices.MinFunc(waiting, func(a, b *corev1.Node) int {
			since := func(n *corev1.Node) time.Time { return condition(n, corev1.NodeReady).LastTransitionTime.Time }
			return cmp.Or(since(a).Compare(since(b)), cmp.Compare(a.Name, b.Name))
		})
		p.Taint = append(p.Taint, first)
		z.Limiter = empty(z.Limiter.Rate, now)
		p.Zones.ByKey[key] = z
	}
	if len(waiting) > 1 || !slices.Contains(p.Taint, waiting[0]) {
		p.wake(z.Limiter.Next)
	}
}

func (p *zonesPlan) wake(at time.Time) {
	if p.WakeAt.IsZero() || at.Before(p.WakeAt) {
		p.WakeAt = at
	}
}

// noExecuteTaints returns the taint that a Node should have, nil for none, and
// the one that it should not.
func noExecuteTaints(node *corev1.Node) (want, other *corev1.Taint) {
	notReady := &corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}
	unreachable := &corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}
	switch readiness(node) {
	case corev1.ConditionFalse:
		return notReady, unreachable
	case corev1.ConditionUnknown:
		return unreachable, notReady
	}
	return nil, nil
}

// tainted reports whether the Node has one of the taints of this package that
// end Pods.
func tainted(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoExecute && (t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable)
	})
}
