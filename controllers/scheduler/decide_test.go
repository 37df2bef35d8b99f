package scheduler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/profile"
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

// features are the gates that matter here, as they are by default.
func features() feature.Features {
	return feature.Features{
		EnableStorageCapacityScoring: true, EnableNodeDeclaredFeatures: true,
		EnableNodeInclusionPolicyInPodTopologySpread: true, EnableMatchLabelKeysInPodTopologySpread: true,
	}
}

// over returns a scheduler that knows these Nodes and bound Pods, and cannot write.
func over(t interface {
	Helper()
	Fatal(...any)
}, nodes []*corev1.Node, bound []*corev1.Pod) *Reconciler {
	t.Helper()
	_, r := overEngine(t, nodes, bound)
	return r
}

func overEngine(t interface {
	Helper()
	Fatal(...any)
}, nodes []*corev1.Node, bound []*corev1.Pod) (*engine.Engine, *Reconciler) {
	t.Helper()
	e, err := engine.New(engine.Config{Mode: engine.Manual, Speed: 1, Start: metav1.Unix(0, 1).Time.UTC()})
	if err != nil {
		t.Fatal(err)
	}
	api := struct{ engine.API }{}
	r, err := New(Config{
		Host:   engine.Host{View: e.View(), API: api, Recorder: e.NewEventRecorder(api, engine.Identity{}, engine.Source{})},
		Random: e.Random(), Features: features(),
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
	return e, r
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

func labelled(key, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Labels[key] = value }
}

func TestPodsAboutOtherPods(t *testing.T) {
	zones := []*corev1.Node{node("a", labelled("zone", "1")), node("b", labelled("zone", "1")), node("c", labelled("zone", "2"))}
	app := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Labels = map[string]string{"app": name} }
	}
	away := func(key string) func(*corev1.Pod) { return func(p *corev1.Pod) { antiAffine(p, "db", key) } }
	near := func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: "zone", LabelSelector: selector("app", "db"),
		}}}}
	}
	spread := func(p *corev1.Pod) { spreading(p, "zone") }
	db := pod("db", on("c"), app("db"))
	for name, tc := range map[string]struct {
		bound []*corev1.Pod
		pod   *corev1.Pod
		want  plan
	}{
		"near another":                         {[]*corev1.Pod{db}, pod("p", near), plan{Node: "c"}},
		"near nobody":                          {nil, pod("p", near), plan{Message: "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."}},
		"the first of its kind is near itself": {nil, pod("p", near, app("db"), selecting(corev1.LabelHostname, "b")), plan{Node: "b"}},
		"another keeps it away": {
			[]*corev1.Pod{pod("x", on("a"), away("zone"))}, pod("p", app("db")), plan{Node: "c"},
		},
		"it keeps away from another": {
			[]*corev1.Pod{pod("x", on("a"), app("db")), db}, pod("p", away("zone")),
			plan{Message: "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."},
		},
		"it evens out zones": {
			[]*corev1.Pod{pod("x", on("a"), app("web")), pod("y", on("b"), app("web")), pod("z", on("c"), app("web"))}, pod("p", app("web"), spread, selecting("zone", "2")), plan{Node: "c"},
		},
		"a zone would have too many": {
			[]*corev1.Pod{pod("x", on("c"), app("web"))}, pod("p", app("web"), spread, selecting(corev1.LabelHostname, "c")),
			plan{Node: "c"}, // Nodes that its selector refuses do not count
		},
		"the cluster is uneven": {
			[]*corev1.Pod{pod("x", on("c"), app("web")), pod("y", on("a"), asking("cpu", "4")), pod("z", on("b"), asking("cpu", "4"))},
			pod("p", app("web"), spread, asking("cpu", "1")),
			plan{Message: "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, planOf(t, over(t, zones, tc.bound), tc.pod, 0)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatHelpsAPod(t *testing.T) {
	r := over(t, nil, nil)
	event := func(resource fwk.EventResource, action fwk.ActionType, before, after any) profile.Change {
		return profile.Change{Events: []fwk.ClusterEvent{{Resource: resource, ActionType: action}}, Old: before, New: after}
	}
	small, roomy := node("a"), node("a", having("cpu", "64"))
	waits := pod("p", asking("cpu", "2"))
	for name, tc := range map[string]struct {
		change  profile.Change
		plugins []string
		want    bool
	}{
		"a larger Node, if it lacks CPU":     {event(fwk.Node, fwk.UpdateNodeAllocatable, small, roomy), []string{"NodeResourcesFit"}, true},
		"a Node's label does not bring CPU":  {event(fwk.Node, fwk.UpdateNodeLabel, small, node("a", labelled("x", "y"))), []string{"NodeResourcesFit"}, false},
		"the end of a Pod":                   {event(fwk.AssignedPod, fwk.Delete, pod("x", on("a"), asking("cpu", "2")), nil), []string{"NodeResourcesFit"}, true},
		"a volume does not bring CPU":        {event(fwk.PersistentVolume, fwk.Add, nil, &corev1.PersistentVolume{}), []string{"NodeResourcesFit"}, false},
		"a volume, if it has a claim":        {event(fwk.PersistentVolume, fwk.Add, nil, &corev1.PersistentVolume{}), []string{"NodeResourcesFit", "VolumeBinding"}, true},
		"anything, if nobody has refused it": {event(fwk.PersistentVolume, fwk.Delete, &corev1.PersistentVolume{}, nil), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.profile.Helps(tc.change, waits, tc.plugins); got != tc.want {
				t.Errorf("Helps = %v, want %v", got, tc.want)
			}
		})
	}
}
