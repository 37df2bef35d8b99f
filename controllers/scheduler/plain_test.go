package scheduler

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	fwk "k8s.io/kube-scheduler/framework"
	"pgregory.net/rapid"

	"github.com/kubesim-dev/kubesim/controllers/scheduler/profile"
)

func namesOf(nodes []fwk.NodeInfo) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Node().Name)
	}
	return out
}

// drawNode draws a Node that may lack anything.
func drawNode(t *rapid.T, name string) *corev1.Node {
	n := node(name)
	n.Labels["zone"] = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "zone")
	n.Spec.Unschedulable = rapid.IntRange(0, 9).Draw(t, "cordoned") == 0
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse(rapid.SampledFrom([]string{"1", "3", "9"}).Draw(t, "pods"))}
	for what, quantities := range map[corev1.ResourceName][]string{
		corev1.ResourceCPU: {"0", "1", "3", "4"}, corev1.ResourceMemory: {"0", "1Gi", "3Gi", "8Gi"}, "example.com/gpu": {"0", "1"},
	} {
		n.Status.Allocatable[what] = resource.MustParse(rapid.SampledFrom(quantities).Draw(t, string(what)))
	}
	if effect := rapid.SampledFrom([]corev1.TaintEffect{"", "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule}).Draw(t, "taint"); effect != "" {
		tainted(effect)(n)
	}
	for _, image := range []string{"big:1", "small:latest"} {
		if rapid.Bool().Draw(t, image) {
			n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{image}, SizeBytes: map[string]int64{"big:1": 900 << 20, "small:latest": 60 << 20}[image]})
		}
	}
	return n
}

// drawPod draws a Pod, of which most are plain.
func drawPod(t *rapid.T, name string) *corev1.Pod {
	p := pod(name)
	p.Labels = map[string]string{"app": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "app")}
	p.Spec.Containers[0].Image = rapid.SampledFrom([]string{"big:1", "small", "other"}).Draw(t, "image")
	for _, what := range []string{"cpu", "memory"} {
		if q := rapid.SampledFrom([]string{"", "0", "250m", "1", "1Gi"}).Draw(t, what); q != "" {
			asking(what, q)(p)
		}
	}
	edits := []func(*corev1.Pod){
		asking("example.com/gpu", "1"), hostPorted(80), tolerating, selecting("zone", "a"), preferring("n1"), neverPreempting,
		func(p *corev1.Pod) { antiAffine(p, "a", corev1.LabelHostname) },
		func(p *corev1.Pod) { spreading(p, "zone") },
	}
	for i, edit := range edits {
		if rapid.IntRange(0, 5+3*i/len(edits)).Draw(t, fmt.Sprintf("edit-%d", i)) == 0 {
			edit(p)
		}
	}
	return p
}

func antiAffine(p *corev1.Pod, app, key string) {
	if p.Spec.Affinity == nil {
		p.Spec.Affinity = &corev1.Affinity{}
	}
	p.Spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: key, LabelSelector: selector("app", app),
	}}}
}

func spreading(p *corev1.Pod, key string) {
	p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector("app", p.Labels["app"]),
	}}
}

// drawCluster draws Nodes and the Pods that are bound to them, of which one in affine keeps its
// terms on others.
func drawCluster(t *rapid.T, affine int) (nodes []*corev1.Node, bound []*corev1.Pod) {
	for i := range rapid.IntRange(1, 6).Draw(t, "nodes") {
		nodes = append(nodes, drawNode(t, fmt.Sprintf("n%d", i)))
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "bound") {
		p := drawPod(t, fmt.Sprintf("bound-%d", i))
		if rapid.IntRange(1, affine).Draw(t, "affine") > 1 {
			p.Spec.Affinity = nil
		}
		p.Spec.NodeName = rapid.SampledFrom(nodes).Draw(t, "on").Name
		bound = append(bound, p)
	}
	return nodes, bound
}

// TestAFocusHidesNothingThatMatters compares what the plugins say when PreFilter sees only the
// Pods that a Pod is about, and when it sees all, on random clusters of Pods that are about
// each other.
func TestAFocusHidesNothingThatMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, bound := drawCluster(t, 1)
		for _, p := range bound {
			drawTerms(t, p)
		}
		r := over(t, nodes, bound)
		all, err := profile.New(profile.Config{View: r.view, Snapshot: r.snapshot, Unfocused: true, Features: features()})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			p := drawPod(t, "p")
			drawTerms(t, p)
			got, err := r.profile.Schedule(t.Context(), p, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			want, err := all.Schedule(t.Context(), p, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(namesOf(want.Best), namesOf(got.Best)); diff != "" {
				t.Fatalf("the best Nodes (-all +focus):\n%s", diff)
			}
			if diff := cmp.Diff(want.Failure, got.Failure); diff != "" {
				t.Fatalf("why it goes nowhere (-all +focus):\n%s", diff)
			}
			// The groups follow the Pods that come and go.
			if i == 0 && len(bound) > 0 {
				r.snapshot.DropPod(nameOf(bound[0]))
			}
			if len(got.Best) > 0 {
				p = p.DeepCopy()
				p.Name, p.Spec.NodeName = fmt.Sprintf("p-%d", i), got.Best[0].Node().Name
				r.snapshot.SetPod(p)
			}
		}
	})
}

// drawTerms gives a Pod terms and constraints about Pods.
func drawTerms(t *rapid.T, p *corev1.Pod) {
	priority := rapid.Int32Range(0, 2).Draw(t, "priority")
	p.Spec.Priority = &priority
	app, key := rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom([]string{"zone", corev1.LabelHostname})
	switch rapid.IntRange(0, 3).Draw(t, "terms") {
	case 0:
		antiAffine(p, app.Draw(t, "anti"), key.Draw(t, "anti-key"))
	case 1:
		spreading(p, key.Draw(t, "spread-key"))
	case 2:
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: key.Draw(t, "near-key"), LabelSelector: selector("app", app.Draw(t, "near")),
		}}}}
	}
}

// TestPlainPodsGoWherePluginsPutThem holds the short way against upstream's plugins, on random
// clusters.
func TestPlainPodsGoWherePluginsPutThem(t *testing.T) {
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		nodes, bound := drawCluster(t, 4)
		r, p := over(t, nodes, bound), drawPod(t, "p")
		best, ok := r.place(p)
		result, err := r.profile.Schedule(t.Context(), p, 0)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ok:
			plain++
			if diff := cmp.Diff(namesOf(result.Best), namesOf(best)); diff != "" {
				t.Fatalf("the best Nodes (-plugins +short way):\n%s", diff)
			}
		case r.plain(p) && len(result.Best) > 0:
			t.Fatalf("the plugins put it on %v, the short way nowhere", namesOf(result.Best))
		}
	})
	if plain == 0 {
		t.Error("no Pod was plain: nothing was compared")
	}
}
