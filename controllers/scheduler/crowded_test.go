package scheduler

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"pgregory.net/rapid"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// surroundings are a namespace of each kind, a Service and a ReplicaSet.
func surroundings() map[engine.Resource][]engine.Object {
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"team": name}}
	}
	return map[engine.Resource][]engine.Object{
		engine.Namespaces:  {&corev1.Namespace{ObjectMeta: meta("", "default")}, &corev1.Namespace{ObjectMeta: meta("", "other")}},
		engine.Services:    {&corev1.Service{ObjectMeta: meta("other", "web"), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "a"}}}},
		engine.ReplicaSets: {&appsv1.ReplicaSet{ObjectMeta: meta("default", "set"), Spec: appsv1.ReplicaSetSpec{Selector: selector("app", "b")}}},
	}
}

// drawCrowd draws Nodes in zones, of which some lack a label, and Pods on them that keep away
// from each other, or are being deleted.
func drawCrowd(t *rapid.T) (nodes []*corev1.Node, bound []*corev1.Pod) {
	// A group of one Pod on 17 Nodes is sparse.
	for i := range rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6, 17}).Draw(t, "nodes") {
		n := drawNode(t, fmt.Sprintf("n%d", i))
		n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("9")
		if zone := rapid.SampledFrom([]string{"", "a", "b", "c", "none"}).Draw(t, "topology zone"); zone != "none" {
			n.Labels[corev1.LabelTopologyZone] = zone
		}
		if rapid.IntRange(0, 4).Draw(t, "no zone") == 0 {
			delete(n.Labels, "zone")
		}
		nodes = append(nodes, n)
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "bound") {
		p := drawCrowded(t, fmt.Sprintf("bound-%d", i))
		p.Spec.NodeName = rapid.SampledFrom([]string{"n0", "n1", "n2", "n3", "gone"}).Draw(t, "on")
		if rapid.IntRange(0, 4).Draw(t, "ends") == 0 {
			p.DeletionTimestamp = &metav1.Time{}
		}
		bound = append(bound, p)
	}
	return nodes, bound
}

// drawCrowded draws a Pod that says all that the short way understands of other Pods, and
// seldom what it does not.
func drawCrowded(t *rapid.T, name string) *corev1.Pod {
	p := pod(name)
	p.Namespace = rapid.SampledFrom([]string{"default", "other"}).Draw(t, "namespace")
	p.Labels = map[string]string{"app": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "app"), "version": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")}
	asking("cpu", rapid.SampledFrom([]string{"0", "100m", "300m"}).Draw(t, "cpu"))(p)
	if rapid.IntRange(0, 3).Draw(t, "selective") == 0 {
		selecting("zone", "a")(p)
	}
	if rapid.IntRange(0, 3).Draw(t, "tolerant") == 0 {
		tolerating(p)
	}
	for range rapid.IntRange(0, 2).Draw(t, "apart") {
		keepApart(t, p)
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "spreads") {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, drawSpread(t))
	}
	if rapid.Bool().Draw(t, "owned") {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "set", UID: types.UID("set"), Controller: new(bool)}}
		*p.OwnerReferences[0].Controller = true
	}
	if rapid.IntRange(0, 15).Draw(t, "near") == 0 {
		drawTerms(t, p)
	}
	return p
}

func drawSelector(t *rapid.T) *metav1.LabelSelector {
	return rapid.SampledFrom([]*metav1.LabelSelector{nil, {}, selector("app", "a"), selector("app", "b"), selector("version", "1")}).Draw(t, "selector")
}

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{corev1.LabelHostname, "zone", corev1.LabelTopologyZone}).Draw(t, "key")
}

func keepApart(t *rapid.T, p *corev1.Pod) {
	term := corev1.PodAffinityTerm{TopologyKey: drawKey(t), LabelSelector: drawSelector(t)}
	switch rapid.IntRange(0, 4).Draw(t, "of") {
	case 0:
		term.Namespaces = []string{"other"}
	case 1:
		term.NamespaceSelector = rapid.SampledFrom([]*metav1.LabelSelector{{}, selector("team", "other"), selector("team", "nobody")}).Draw(t, "namespaces")
	}
	if p.Spec.Affinity == nil {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}}
	}
	anti := p.Spec.Affinity.PodAntiAffinity
	anti.RequiredDuringSchedulingIgnoredDuringExecution = append(anti.RequiredDuringSchedulingIgnoredDuringExecution, term)
}

func drawSpread(t *rapid.T) corev1.TopologySpreadConstraint {
	c := corev1.TopologySpreadConstraint{
		MaxSkew: rapid.Int32Range(1, 3).Draw(t, "skew"), TopologyKey: drawKey(t), LabelSelector: drawSelector(t),
		WhenUnsatisfiable: rapid.SampledFrom([]corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway}).Draw(t, "action"),
	}
	policies := []corev1.NodeInclusionPolicy{"", corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore}
	if policy := rapid.SampledFrom(policies).Draw(t, "affinity policy"); policy != "" {
		c.NodeAffinityPolicy = &policy
	}
	if policy := rapid.SampledFrom(policies).Draw(t, "taints policy"); policy != "" {
		c.NodeTaintsPolicy = &policy
	}
	if domains := rapid.Int32Range(0, 4).Draw(t, "domains"); domains > 0 && c.WhenUnsatisfiable == corev1.DoNotSchedule {
		c.MinDomains = &domains
	}
	if rapid.IntRange(0, 3).Draw(t, "keys") == 0 {
		c.MatchLabelKeys = []string{"version", "unset"}
	}
	return c
}

// TestCrowdedPodsGoWherePluginsPutThem holds the short way against upstream's plugins for Pods
// with anti-affinity and spread constraints, one after the other, while others end.
func TestCrowdedPodsGoWherePluginsPutThem(t *testing.T) {
	compared := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		nodes, bound := drawCrowd(t)
		r := overAll(t, nodes, bound, surroundings())
		for i := range 6 {
			p := drawCrowded(t, fmt.Sprintf("p-%d", i))
			best, ok := r.place(p)
			result, err := r.profile.Schedule(t.Context(), p, 0)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case ok:
				if diff := cmp.Diff(namesOf(result.Best), namesOf(best)); diff != "" {
					t.Fatalf("the best Nodes of Pod %d (-plugins +short way):\n%s", i, diff)
				}
				tell(compared, p, len(best) < len(nodes))
			case r.plain(p) && len(result.Best) > 0:
				t.Fatalf("the plugins put Pod %d on %v, the short way nowhere", i, namesOf(result.Best))
			}
			if len(result.Best) > 0 {
				p = p.DeepCopy()
				p.Spec.NodeName = result.Best[0].Node().Name
				r.snapshot.SetPod(p)
				bound = append(bound, p)
			}
			r.change(t, nodes, bound)
		}
	})
	for _, kind := range []string{"apart", "hard spread", "soft spread", "default spread"} {
		if compared[kind] == 0 {
			t.Errorf("no Pod with %s was compared for which the Nodes differ", kind)
		}
	}
}

// tell counts a Pod for which not all Nodes were as good.
func tell(compared map[string]int, p *corev1.Pod, differ bool) {
	if !differ {
		return
	}
	if p.Spec.Affinity != nil && p.Spec.Affinity.PodAntiAffinity != nil {
		compared["apart"]++
	}
	for _, c := range p.Spec.TopologySpreadConstraints {
		compared[map[corev1.UnsatisfiableConstraintAction]string{corev1.DoNotSchedule: "hard spread", corev1.ScheduleAnyway: "soft spread"}[c.WhenUnsatisfiable]]++
	}
	if len(p.Spec.TopologySpreadConstraints) == 0 && len(p.OwnerReferences) > 0 {
		compared["default spread"]++
	}
}

// change lets something of the cluster change, so that what is kept up is seen to be.
func (r *Reconciler) change(t *rapid.T, nodes []*corev1.Node, bound []*corev1.Pod) {
	if len(bound) > 0 {
		p := rapid.SampledFrom(bound).Draw(t, "which")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			r.snapshot.DropPod(nameOf(p))
		case 1:
			if _, has := r.snapshot.Bound(nameOf(p)); has {
				p = p.DeepCopy()
				p.DeletionTimestamp = &metav1.Time{}
				r.snapshot.SetPod(p)
			}
		}
	}
	n := rapid.SampledFrom(nodes).Draw(t, "node")
	switch rapid.IntRange(0, 5).Draw(t, "what of it") {
	case 0:
		n = n.DeepCopy()
		n.Labels["zone"] = "c"
		r.snapshot.SetNode(n)
	case 1:
		r.snapshot.RemoveNode(n.Name)
		r.snapshot.SetNode(n)
	}
}

// overAll is over with objects in the View.
func overAll(t *rapid.T, nodes []*corev1.Node, bound []*corev1.Pod, objects map[engine.Resource][]engine.Object) *Reconciler {
	t.Helper()
	e, r := overEngine(t, nodes, bound)
	err := e.Restore(t.Context(), &engine.Checkpoint{}, false, func(see func(engine.Commit)) error {
		for resource, list := range objects {
			for _, obj := range list {
				see(engine.Commit{Revision: 1, Type: watch.Added, Resource: resource, Object: obj})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
