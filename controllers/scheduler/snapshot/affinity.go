package snapshot

import (
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// affinityLists are the Nodes that have Pods with terms about other Pods, by name.
type affinityLists struct {
	// stale: a Node came or went, or has its first such Pod, or has lost its last.
	stale           bool
	any, anti, wide []fwk.NodeInfo
}

// presence says which of the lists a Node belongs to.
type presence struct{ any, anti, wide bool }

func sizes(n *framework.NodeInfo) presence {
	return presence{len(n.PodsWithAffinity) > 0, len(n.PodsWithRequiredAntiAffinity) > 0, len(n.PodsWithRequiredNonHostScopedAntiAffinity) > 0}
}

func (s *Snapshot) lists() *affinityLists {
	l := &s.affinity
	if !l.stale {
		return l
	}
	*l = affinityLists{}
	for _, n := range s.nodes {
		if len(n.GetPodsWithAffinity()) > 0 {
			l.any = append(l.any, n)
		}
		if len(n.GetPodsWithRequiredAntiAffinity()) > 0 {
			l.anti = append(l.anti, n)
		}
		if len(n.GetPodsWithRequiredNonHostScopedAntiAffinity()) > 0 {
			l.wide = append(l.wide, n)
		}
	}
	return l
}

// HavePodsWithAffinityList implements fwk.NodeInfoLister.
func (s *Snapshot) HavePodsWithAffinityList() ([]fwk.NodeInfo, error) { return s.lists().any, nil }

// HavePodsWithRequiredAntiAffinityList implements fwk.NodeInfoLister.
func (s *Snapshot) HavePodsWithRequiredAntiAffinityList() ([]fwk.NodeInfo, error) {
	if s.focus != nil {
		return s.focus.anti, nil
	}
	return s.lists().anti, nil
}

// HavePodsWithRequiredNonHostScopedAntiAffinityList implements fwk.NodeInfoLister.
func (s *Snapshot) HavePodsWithRequiredNonHostScopedAntiAffinityList() ([]fwk.NodeInfo, error) {
	return s.lists().wide, nil
}
