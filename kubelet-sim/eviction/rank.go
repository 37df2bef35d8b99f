// Package eviction says which Pod goes first when a node, or the host, lacks something, and
// in which words.
//
// Invariant: it has no effect. A ranking is a total order over Candidates, so that the order
// in which they are found does not matter; the caller evicts. Source:
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
package eviction

import "cmp"

// Candidate is a Pod as the ranking sees it.
type Candidate struct {
	Name     string
	Critical bool
	Priority int32
	// Requests: it requests any of what is short.
	Requests bool
	// Over is how much more than it requests the Pod uses of what is short, total what
	// it holds of the host. Unit: bytes.
	Over, Total int64
}

// FirstToGo returns which of the Pods is evicted first, -1 if there is none: of those
// that hold their share or more, one that uses more than it requests, then one of low
// priority, then one that is far above its request. Source: rankMemoryPressure and
// rankDiskPressureFunc in k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
//
// Deviation: upstream has no shares; without them Pods that request much and hold all
// would stay, and all others go. It never evicts a critical Pod, here those go last.
func FirstToGo(all []Candidate) int {
	share := int64(0)
	for _, h := range all {
		share += h.Total
	}
	share /= max(int64(len(all)), 1)
	first := -1
	for i, h := range all {
		if h.Total >= share && (first < 0 || compareCandidates(h, all[first]) < 0) {
			first = i
		}
	}
	return first
}

// FirstUnderPressure returns which Pod of a node that is short of something is evicted first,
// -1 if there is none: one that uses more than it requests, which every Pod without a request
// does; then by priority. Source: rankMemoryPressure and rankDiskPressureFunc in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
//
// Deviation: how much each Pod uses is not looked at; of equals the first by name goes.
func FirstUnderPressure(all []Candidate) int {
	first := -1
	for i, c := range all {
		if first < 0 || cmp.Or(compareBool(c.Requests, all[first].Requests),
			cmp.Compare(c.Priority, all[first].Priority), cmp.Compare(c.Name, all[first].Name)) < 0 {
			first = i
		}
	}
	return first
}

func compareCandidates(a, b Candidate) int {
	return cmp.Or(
		compareBool(a.Critical, b.Critical), compareBool(a.Over <= 0, b.Over <= 0),
		cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Over, a.Over), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name),
	)
}

// compareBool has false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
