package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// agentOf is a DaemonSet of two Nodes.
func agentOf(image string, change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "default", UID: "agent-uid"}}
	ds.Spec.Template = templateOf(image)
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &one, MaxSurge: &none}}
	for _, f := range change {
		f(ds)
	}
	return ds
}

// onNodes is what the status counts, of two Nodes.
func onNodes(current, available, updated int32) func(*appsv1.DaemonSet) {
	return func(ds *appsv1.DaemonSet) {
		ds.Status = appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 2, CurrentNumberScheduled: current, NumberAvailable: available, NumberReady: available, UpdatedNumberScheduled: updated}
	}
}

func surging(ds *appsv1.DaemonSet) {
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	ds.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &none, MaxSurge: &one}
}

func byHand(ds *appsv1.DaemonSet) {
	ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
}

func ownedByAgent(o metav1.Object) {
	o.SetOwnerReferences([]metav1.OwnerReference{{Kind: "DaemonSet", Name: "agent", UID: "agent-uid", Controller: ptrTo(true)}})
}

func revisionOfAgent(n int64) *appsv1.ControllerRevision {
	hash := fmt.Sprintf("v%d", n)
	r := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "agent-" + hash, Namespace: "default", UID: types.UID("agent-" + hash), Labels: map[string]string{appsv1.DefaultDaemonSetUniqueLabelKey: hash}}, Revision: n}
	ownedByAgent(r)
	return r
}

// podOnNode is a Pod for a Node, which the scheduler has bound.
func podOnNode(name, node, hash string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := podOf(nil, name)
	p.Labels = map[string]string{appsv1.ControllerRevisionHashLabelKey: hash}
	p.Spec.NodeName = node
	p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}},
	}}}
	ownedByAgent(p)
	for _, f := range change {
		f(p)
	}
	return p
}

const byAgent = "daemonset/default/agent"

// onTwo are the commits of a DaemonSet that has come up on two Nodes.
func onTwo(change ...func(*appsv1.DaemonSet)) *past {
	p := at(0).then(0, "client/ann", agentOf("app:1", change...)).then(0, byAgent, revisionOfAgent(1), podOnNode("a", "node-1", "v1"), podOnNode("b", "node-2", "v1"))
	p.then(time.Second, "lifecycle", podOnNode("a", "node-1", "v1", ready), podOnNode("b", "node-2", "v1", ready))
	return p.then(0, byAgent, agentOf("app:1", append(change, onNodes(2, 2, 2))...))
}

// rolling goes on with another template.
func rolling(change ...func(*appsv1.DaemonSet)) *past {
	return onTwo(change...).then(time.Second, "client/ann", agentOf("app:2", append(change, onNodes(2, 2, 2))...)).then(0, byAgent, revisionOfAgent(2))
}

func TestADaemonSetSaysWhichRuleDecided(t *testing.T) {
	for name, tc := range map[string]struct {
		past *past
		want []string
	}{
		"a Pod on each Node": {onTwo(), []string{
			"daemonset/agent created: a Pod on each Node that it fits, RollingUpdate", "pod/a created with revision 1 for node-1", "daemonset/agent rolled out: revision 1 on 2 Nodes",
		}},
		"one after the other": {rolling().then(0, byAgent, podOnNode("a", "node-1", "v1", ready, deleting)).deleted("lifecycle", podOnNode("a", "node-1", "v1", deleting)).
			then(0, byAgent, podOnNode("c", "node-1", "v2")).then(time.Second, "lifecycle", podOnNode("c", "node-1", "v2", ready)).
			then(0, byAgent, podOnNode("b", "node-2", "v1", ready, deleting)), []string{
			"pod/a deleted, with a grace period of 30s because it has revision 1, not revision 2; maxUnavailable 1",
			"pod/c created with revision 2 for node-1 because replaces pod/a of revision 1",
			"pod/b deleted, with a grace period of 30s because it has revision 1, not revision 2; maxUnavailable 1: pod/c has become ready",
		}},
		"a Node that waits": {rolling().then(0, byAgent, podOnNode("a", "node-1", "v1", ready, deleting)).deleted("lifecycle", podOnNode("a", "node-1", "v1", deleting)).
			then(0, byAgent, podOnNode("c", "node-1", "v2", waits("ImagePullBackOff", "")), agentOf("app:2", onNodes(2, 1, 1))), []string{
			"daemonset/agent has not rolled out: 1 of 2 Nodes have a Pod of revision 2, 1 have an available one because " +
				"pod/c on node-1: container c: ImagePullBackOff; 1 Pod of older revisions: at most 1 Node may be without an available one (maxUnavailable)",
		}},
		"one beside the other": {rolling(surging).then(0, byAgent, podOnNode("c", "node-1", "v2")).then(time.Second, "lifecycle", podOnNode("c", "node-1", "v2", ready)).
			then(0, byAgent, podOnNode("a", "node-1", "v1", ready, deleting)), []string{
			"daemonset/agent created: a Pod on each Node that it fits, RollingUpdate with maxSurge 1",
			"pod/c created with revision 2 for node-1 because maxSurge 1: it starts beside pod/a of revision 1",
			"pod/a deleted, with a grace period of 30s because replaced by pod/c",
		}},
		"by hand": {rolling(byHand).then(0, byAgent, agentOf("app:2", byHand, onNodes(2, 2, 0))), []string{
			"daemonset/agent has not rolled out: 0 of 2 Nodes have a Pod of revision 2, 2 have an available one because updateStrategy OnDelete: delete pod/a, pod/b to replace them",
		}},
		"a Node comes": {onTwo().then(0, byAgent, podOnNode("d", "node-3", "v1"), agentOf("app:1", onNodes(2, 2, 2), func(ds *appsv1.DaemonSet) { ds.Status.DesiredNumberScheduled = 3 })), []string{
			"daemonset/agent is for 3 Nodes now, before 2", "pod/d created with revision 1 for node-3 because node-3 had none",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, step := range Tell(Target{Kind: "DaemonSet", Namespace: "default", Name: "agent"}, tc.past.commits, noon.Add(tc.past.now)).Steps {
				got = append(got, words(" because ", step.Object+" "+step.What, step.Why))
			}
			for _, want := range tc.want {
				if !slices.Contains(got, want) {
					t.Errorf("no step %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// TestTwoPodsOfANodeHaveALineEach: a surge shows both.
func TestTwoPodsOfANodeHaveALineEach(t *testing.T) {
	p := rolling(surging).then(0, byAgent, podOnNode("c", "node-1", "v2"))
	places := Tell(Target{Kind: "DaemonSet", Namespace: "default", Name: "agent"}, p.commits, noon.Add(p.now)).Places
	spans := places.Lanes[0].Spans
	if last := spans[len(spans)-1]; places.Lanes[0].Name != "node-1" || last.Line != 1 || last.Version != 1 || spans[0].Line != 0 {
		t.Errorf("the lane %s has %+v", places.Lanes[0].Name, spans)
	}
}
