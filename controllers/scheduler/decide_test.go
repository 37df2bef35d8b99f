package scheduler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func node(name string, edits ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("3"),
		}},
	}
	for _, edit := range edits {
		edit(n)
	}
	return n
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func tainted(effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "dedicated", Value: "gpu", Effect: effect})
	}
}

func having(name, quantity string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Allocatable[corev1.ResourceName(name)] = resource.MustParse(quantity) }
}

func pod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{SchedulerName: corev1.DefaultSchedulerName, Containers: []corev1.Container{{Name: "c"}}},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func on(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }

func asking(name, quantity string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		r := &p.Spec.Containers[0].Resources
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[corev1.ResourceName(name)] = resource.MustParse(quantity)
	}
}

func selecting(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: value} }
}

func hostPorted(port int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: port, ContainerPort: port}}
	}
}

func tolerating(p *corev1.Pod) {
	p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func neverPreempting(p *corev1.Pod) {
	never := corev1.PreemptNever
	p.Spec.PreemptionPolicy = &never
}

func selector(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func preferring(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
			Weight:     1,
			Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{name}}}},
		}}}}
	}
}

// over returns a scheduler that knows these Nodes and bound Pods, and cannot write.
func over(t interface {
	Helper()
	Fatal(...any)
}, nodes []*corev1.Node, bound []*corev1.Pod) *Reconciler {
	t.Helper()
	e, err := engine.New(engine.Config{Mode: engine.Manual, Speed: 1, Start: metav1.Unix(0, 1).Time.UTC()})
	if err != nil {
		t.Fatal(err)
	}
	api := struct{ engine.API }{}
	r, err := New(Config{
		Host:   engine.Host{View: e.View(), API: api, Recorder: e.NewEventRecorder(api, engine.Identity{}, engine.Source{})},
		Random: e.Random(), Features: feature.Features{EnableStorageCapacityScoring: true, EnableNodeDeclaredFeatures: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		r.snapshot.SetNode(n)
	}
	for _, p := range bound {
		r.snapshot.SetPod(p)
	}
	return r
}

// plan is where a Pod goes, or why it goes nowhere.
type plan struct{ Node, Message string }

func planOf(t *testing.T, r *Reconciler, pod *corev1.Pod, draw uint64) plan {
	t.Helper()
	node, failure, err := r.decide(t.Context(), pod, draw)
	switch {
	case err != nil:
		t.Fatal(err)
	case failure != nil:
		return plan{Message: failure.Message}
	}
	return plan{Node: node.Name}
}

func TestDecide(t *testing.T) {
	two := []*corev1.Node{node("a"), node("b")}
	for name, tc := range map[string]struct {
		nodes []*corev1.Node
		bound []*corev1.Pod
		pod   *corev1.Pod
		want  plan
	}{
		"a Pod waits for a first Node":                   {nil, nil, pod("p"), plan{Message: "no nodes available to schedule pods"}},
		"a Pod goes to the emptier Node":                 {two, []*corev1.Pod{pod("x", on("a"))}, pod("p"), plan{Node: "b"}},
		"a Pod goes where its selector points":           {two, nil, pod("p", selecting(corev1.LabelHostname, "b")), plan{Node: "b"}},
		"a preference outweighs an emptier Node":         {two, []*corev1.Pod{pod("x", on("b"))}, pod("p", preferring("b")), plan{Node: "b"}},
		"a Node that would rather not comes last":        {[]*corev1.Node{node("a", tainted(corev1.TaintEffectPreferNoSchedule)), node("b")}, []*corev1.Pod{pod("x", on("b"))}, pod("p"), plan{Node: "b"}},
		"a toleration opens a tainted and cordoned Node": {[]*corev1.Node{node("a", tainted(corev1.TaintEffectNoExecute), cordoned)}, nil, pod("p", tolerating), plan{Node: "a"}},
		"a Pod that asks for more than is left waits": {
			two, []*corev1.Pod{pod("x", on("a"), asking("cpu", "3")), pod("y", on("b"), asking("cpu", "3"))}, pod("p", asking("cpu", "2")),
			plan{Message: "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."},
		},
		"a Pod that asks for more than there is cannot be helped": {
			two, nil, pod("p", asking("cpu", "5"), asking("memory", "9Gi")),
			plan{Message: "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."},
		},
		"each Node gives its own reason": {
			[]*corev1.Node{node("a", cordoned), node("b", tainted(corev1.TaintEffectNoSchedule)), node("c")},
			nil, pod("p", selecting("disk", "ssd")),
			plan{Message: "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " +
				"preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."},
		},
		"a full Node says so": {
			[]*corev1.Node{node("a")}, []*corev1.Pod{pod("x", on("a")), pod("y", on("a")), pod("z", on("a"))}, pod("p"),
			plan{Message: "0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."},
		},
		"a host port is taken once": {
			two[:1], []*corev1.Pod{pod("x", on("a"), hostPorted(80))}, pod("p", hostPorted(80)),
			plan{Message: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."},
		},
		"an extended resource must be there": {
			[]*corev1.Node{node("a"), node("b", having("example.com/gpu", "1"))}, nil, pod("p", asking("example.com/gpu", "1")), plan{Node: "b"},
		},
		"a Pod that may not preempt says so": {
			two[:1], nil, pod("p", asking("cpu", "5"), neverPreempting),
			plan{Message: "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, planOf(t, over(t, tc.nodes, tc.bound), tc.pod, 0)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDrawChoosesAmongEquals(t *testing.T) {
	r := over(t, []*corev1.Node{node("a"), node("b"), node("c")}, nil)
	var got []string
	for draw := range uint64(4) {
		got = append(got, planOf(t, r, pod("p"), draw).Node)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a"}, got); diff != "" {
		t.Errorf("Nodes (-want +got):\n%s", diff)
	}
}
