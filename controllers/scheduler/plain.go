package scheduler

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// place returns the best Nodes for a Pod of which the plugins would say no more than filter.go,
// near.go, spread.go and score.go do, in a fraction of the time. ok is false if they have to be
// asked: for a Pod that is not plain, or that fits nowhere.
//
// TestPlainPodsGoWherePluginsPutThem and TestCrowdedPodsGoWherePluginsPutThem compare the two.
func (r *Reconciler) place(pod *corev1.Pod) (best []fwk.NodeInfo, ok bool) {
	if !r.plain(pod) {
		return nil, false
	}
	c, err := newCandidate(pod)
	if err != nil {
		return nil, false
	}
	hard, err := r.spreadsOf(c, pod.Spec.TopologySpreadConstraints, corev1.DoNotSchedule)
	if err != nil {
		return nil, false
	}
	refused := r.skewed(c, hard, r.keptApart(c))
	var feasible []int
	nodes := r.snapshot.Nodes()
	for i, n := range nodes {
		if (refused == nil || !refused[i]) && c.fits(n) {
			feasible = append(feasible, i)
		}
	}
	if len(feasible) == 0 {
		return nil, false
	}
	found := pick(nodes, feasible)
	if len(feasible) > 1 {
		soft, all, err := r.softSpreads(c)
		if err != nil {
			return nil, false
		}
		scores := c.scores(found, len(nodes))
		r.preferSpread(c, scores, feasible, soft, all)
		found = highest(found, scores)
	}
	r.snapshot.Expect(c.info)
	return found, true
}

// plain reports whether no other plugin has a say in where the Pod can go than those that are
// written again here.
func (r *Reconciler) plain(pod *corev1.Pod) bool {
	if slices.ContainsFunc(pod.Spec.Volumes, placed) || r.profile.AnyNominated() || !plainAffinity(pod.Spec.Affinity) {
		return false
	}
	if !r.spreadsAsUsual && (len(pod.Spec.TopologySpreadConstraints) > 0 || metav1.GetControllerOfNoCopy(pod) != nil) {
		return false
	}
	return !r.profile.NeedsFeatures(pod) && !r.snapshot.WishedFor(pod, r.namespaceLabels(pod))
}

// placed reports whether a volume has a say in where its Pod can go, or should.
func placed(v corev1.Volume) bool {
	return v.PersistentVolumeClaim != nil || v.Ephemeral != nil || v.CSI != nil || v.Image != nil ||
		v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.RBD != nil || v.ISCSI != nil ||
		v.AzureDisk != nil || v.Cinder != nil
}

// plainAffinity reports whether affinity is about Nodes and their labels, and about Pods to keep
// away from. The plugin NodeAffinity looks up Nodes by name, and has a message of its own for
// that.
func plainAffinity(affinity *corev1.Affinity) bool {
	if affinity == nil {
		return true
	}
	if wishes(affinity) {
		return false
	}
	if affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return !slices.ContainsFunc(affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms,
		func(t corev1.NodeSelectorTerm) bool { return len(t.MatchFields) > 0 })
}

// wishes reports whether a Pod says more about other Pods than what is required of Nodes.
func wishes(affinity *corev1.Affinity) bool {
	return affinity != nil && (affinity.PodAffinity != nil ||
		affinity.PodAntiAffinity != nil && len(affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0)
}

// pick returns the Nodes at these places.
func pick(nodes []fwk.NodeInfo, at []int) []fwk.NodeInfo {
	out := slices.Grow([]fwk.NodeInfo(nil), len(at))
	for _, i := range at {
		out = append(out, nodes[i])
	}
	return out
}
