package scheduler

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// place returns the best Nodes for a Pod of which the plugins would say no more than filter.go
// and score.go do, in half of the time. ok is false if they have to be asked: for a Pod that
// is not plain, or that fits nowhere.
//
// TestPlainPodsGoWherePluginsPutThem compares the two.
func (r *Reconciler) place(pod *corev1.Pod) (best []fwk.NodeInfo, ok bool) {
	if !r.plain(pod) {
		return nil, false
	}
	c := newCandidate(pod)
	var feasible []fwk.NodeInfo
	for _, n := range r.snapshot.Nodes() {
		if c.fits(n) {
			feasible = append(feasible, n)
		}
	}
	if len(feasible) == 0 || len(feasible) > 1 && r.spreads(pod) {
		return nil, false
	}
	r.snapshot.Expect(c.info)
	return c.best(feasible, len(r.snapshot.Nodes())), true
}

// plain reports whether no other plugin than those in filter.go has a say in where the Pod can
// go.
func (r *Reconciler) plain(pod *corev1.Pod) bool {
	if len(pod.Spec.TopologySpreadConstraints) > 0 || slices.ContainsFunc(pod.Spec.Volumes, placed) || r.profile.AnyNominated() || !plainAffinity(pod.Spec.Affinity) {
		return false
	}
	affine, _ := r.snapshot.HavePodsWithAffinityList()
	return len(affine) == 0 && !r.profile.NeedsFeatures(pod)
}

// placed reports whether a volume has a say in where its Pod can go, or should.
func placed(v corev1.Volume) bool {
	return v.PersistentVolumeClaim != nil || v.Ephemeral != nil || v.CSI != nil || v.Image != nil ||
		v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.RBD != nil || v.ISCSI != nil ||
		v.AzureDisk != nil || v.Cinder != nil
}

// plainAffinity reports whether affinity is about Nodes and their labels only. The plugin
// NodeAffinity looks up Nodes by name, and has a message of its own for that.
func plainAffinity(affinity *corev1.Affinity) bool {
	if affinity == nil {
		return true
	}
	if affinity.PodAffinity != nil || affinity.PodAntiAffinity != nil {
		return false
	}
	if affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return !slices.ContainsFunc(affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms,
		func(t corev1.NodeSelectorTerm) bool { return len(t.MatchFields) > 0 })
}

// spreads reports whether the cluster's default constraints hold for the Pod: it is of a
// Service, or of a controller that has a selector. Source: DefaultSelector, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/helper v1.37.2.
func (r *Reconciler) spreads(pod *corev1.Pod) bool {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		switch owner.Kind {
		case "ReplicationController", "ReplicaSet", "StatefulSet":
			return true
		}
	}
	return slices.ContainsFunc(engine.List[*corev1.Service](r.view, engine.Services, pod.Namespace), func(s *corev1.Service) bool {
		return s.Spec.Selector != nil && labels.SelectorFromValidatedSet(s.Spec.Selector).Matches(labels.Set(pod.Labels))
	})
}
