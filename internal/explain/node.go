package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// nodeStory is what is known of a node that some of the Pods are on.
type nodeStory struct {
	last  *corev1.Node
	users map[types.UID]bool
	// step is the last that was told of it.
	step int
}

func (t *teller) nodeOf(name string) *nodeStory {
	n := t.nodes[name]
	if n == nil {
		n = &nodeStory{users: map[types.UID]bool{}, step: none}
		t.nodes[name] = n
	}
	return n
}

// node tells what happens to a node while one of the Pods is on it.
func (t *teller) node(node *corev1.Node) {
	n := t.nodeOf(node.Name)
	old := n.last
	n.last = node
	if old == nil || !t.used(n) {
		return
	}
	if t.c.Type == watch.Deleted {
		n.step = t.say(Bad, "deleted", "")
		return
	}
	for _, f := range []struct{ annotation, on, off string }{
		{v1alpha1.UnreachableAnnotation, "off the network", "on the network again"},
		{v1alpha1.BootAnnotation, "rebooted", ""},
		{v1alpha1.DrainAnnotation, "being drained", "drained no more"},
		{v1alpha1.MemoryPressureAnnotation, "lacks memory", "has memory again"},
		{v1alpha1.DiskPressureAnnotation, "lacks disk", "has disk again"},
	} {
		was, is := old.Annotations[f.annotation], node.Annotations[f.annotation]
		switch {
		case was == is:
		case is != "":
			n.step = t.say(Bad, f.on, t.byFault(f.annotation, is))
		case f.off != "":
			n.step = t.say(Good, f.off, "")
		}
	}
	t.nodeConditions(n, old, node)
}

// byFault names the Fault that has set an annotation of a Node, unless it was the Fault
// itself that did it.
func (t *teller) byFault(annotation, value string) string {
	if value == "true" || annotation == v1alpha1.BootAnnotation || controller(t.c.Actor) == "fault" {
		return ""
	}
	return "Fault " + value
}

func (t *teller) nodeConditions(n *nodeStory, old, node *corev1.Node) {
	ready := func(node *corev1.Node) corev1.ConditionStatus {
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status
			}
		}
		return corev1.ConditionUnknown
	}
	if was, is := ready(old), ready(node); was != is {
		tone, what := Bad, "NotReady"
		switch is {
		case corev1.ConditionTrue:
			tone, what = Good, "Ready"
		case corev1.ConditionUnknown:
			what = "NotReady: its kubelet does not answer"
		}
		n.step = t.say(tone, what, "", n.step)
	}
	for _, taint := range node.Spec.Taints {
		same := func(o corev1.Taint) bool { return o.MatchTaint(&taint) }
		if taint.Effect == corev1.TaintEffectNoExecute && !slices.ContainsFunc(old.Spec.Taints, same) {
			n.step = t.say(Bad, fmt.Sprintf("tainted %s:%s", taint.Key, taint.Effect), "", n.step)
		}
	}
	if old.Spec.Unschedulable != node.Spec.Unschedulable {
		n.step = t.say(Plain, map[bool]string{true: "cordoned", false: "uncordoned"}[node.Spec.Unschedulable], "", n.step)
	}
}

// used reports whether a Pod is on the node that has not ended.
func (t *teller) used(n *nodeStory) bool {
	for uid := range n.users {
		if pod, ok := t.last[uid].(*corev1.Pod); ok && !podutil.IsPodTerminal(pod) && !t.pods[uid].bars.ended() {
			return true
		}
	}
	return false
}

// hit is a request that a Fault has hit.
type hit struct {
	name string
	at   time.Time
}

// fault notes that a Fault has hit requests.
func (t *teller) fault(f *v1alpha1.Fault) {
	if f.Status.Hits > t.faults[f.Name] {
		t.hits = append(t.hits, hit{f.Name, t.c.Time})
	}
	t.faults[f.Name] = f.Status.Hits
}

// nameFaults names the Faults that have hit a request at the instant of a step that says
// that one failed. The commit of a Fault comes after what it has caused.
func (t *teller) nameFaults() {
	for i := range t.story.Steps {
		s := &t.story.Steps[i]
		if !strings.HasPrefix(s.What, "FailedCreate") && !strings.HasPrefix(s.What, "FailedDelete") {
			continue
		}
		for _, h := range t.hits {
			text := "Fault " + h.name + " has hit a request at this instant"
			if h.at.Equal(s.At) && !strings.Contains(s.Why, text) {
				s.Why = words("; ", s.Why, text)
			}
		}
	}
}
