package nodelifecycle

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// seen is one look at the zones: which Nodes get or lose the taints, and in how
// many seconds the next one has its turn.
type seen struct {
	Taint, Swap, Untaint []string
	Next                 float64
	States               map[string]state
}

func look(nodes []*corev1.Node, before zones, now time.Time) (seen, zones) {
	p := decideZones(nodes, before, now)
	s := seen{States: map[string]state{}}
	for _, n := range p.Taint {
		s.Taint = append(s.Taint, n.Name)
	}
	for _, n := range p.Swap {
		s.Swap = append(s.Swap, n.Name)
	}
	for _, n := range p.Untaint {
		s.Untaint = append(s.Untaint, n.Name)
	}
	if !p.WakeAt.IsZero() {
		s.Next = p.WakeAt.Sub(now).Seconds()
	}
	for key, z := range p.Zones.ByKey {
		s.States[key] = z.State
	}
	return s, p.Zones
}

// some returns n Nodes with an edit, named from the letter on.
func some(n int, letter string, edits ...func(*corev1.Node)) []*corev1.Node {
	var out []*corev1.Node
	for i := range n {
		out = append(out, node(fmt.Sprintf("%s%d", letter, i), edits...))
	}
	return out
}

const noExecute = corev1.TaintEffectNoExecute

func TestDecideZones(t *testing.T) {
	well, gone := ready(ago(0)), lost(ago(0))
	one := func(s state) map[string]state { return map[string]state{"": s} }
	for name, tc := range map[string]struct {
		nodes []*corev1.Node
		want  seen
	}{
		"all is well": {some(3, "a", well), seen{States: one(normal)}},
		"a Node that is lost is tainted at once, the next one in ten seconds": {
			append(some(2, "a", well), some(2, "b", gone)...), seen{Taint: []string{"b0"}, Next: 10, States: one(normal)},
		},
		"who was lost first is first": {
			append(some(2, "a", well), node("b", gone), node("c", lost(ago(time.Second)))), seen{Taint: []string{"c"}, Next: 10, States: one(normal)},
		},
		"the one that has its taint waits no more": {
			append(some(2, "a", well), node("b", gone, has(corev1.TaintNodeUnreachable, noExecute))), seen{States: one(normal)},
		},
		"another reason takes its taint's place without waiting": {
			append(some(2, "a", well), node("b", gone, has(corev1.TaintNodeNotReady, noExecute)), node("c", gone)),
			seen{Taint: []string{"c"}, Swap: []string{"b"}, States: one(normal)},
		},
		"who is ready again has no taint": {
			append(some(2, "a", well), node("b", well, has(corev1.TaintNodeUnreachable, noExecute))), seen{Untaint: []string{"b"}, States: one(normal)},
		},
		"in a zone with too many lost ones nobody is tainted, if it is small": {
			append(some(2, "a", well), some(3, "b", gone)...), seen{States: one(partialDisruption)},
		},
		"and slowly if it is large": {
			append(some(20, "a", well), some(40, "b", gone)...), seen{Taint: []string{"b0"}, Next: 100, States: one(partialDisruption)},
		},
		"when all are lost it is rather the control plane": {
			some(2, "b", gone, has(corev1.TaintNodeUnreachable, noExecute)), seen{Untaint: []string{"b0", "b1"}, States: one(fullDisruption)},
		},
		"but not if another zone is well": {
			append(some(1, "a", well, in("x")), some(2, "b", gone, in("y"))...),
			seen{Taint: []string{"b0"}, Next: 10, States: map[string]state{":\x00:x": normal, ":\x00:y": fullDisruption}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := look(tc.nodes, zones{}, noon())
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("look (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAfterAnOutageOfAllNodesHeartbeatsCountAnew(t *testing.T) {
	down := some(2, "a", lost(ago(0)))
	_, z := look(down, zones{}, noon())
	if got, _ := look(down, z, noon().Add(time.Hour)); len(got.Taint) > 0 || got.Next != 0 {
		t.Errorf("in the outage: %+v", got)
	}
	half := []*corev1.Node{down[0], node("a1", ready(ago(0)))}
	got, z := look(half, z, noon().Add(time.Hour))
	if diff := cmp.Diff(seen{Next: 10, States: map[string]state{"": normal}}, got); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	if want := noon().Add(time.Hour); !z.Since.Equal(want) {
		t.Errorf("heartbeats count from %s, want %s", z.Since, want)
	}
	if got, _ := look(half, z, noon().Add(time.Hour+10*time.Second)); !cmp.Equal(got.Taint, []string{"a0"}) {
		t.Errorf("ten seconds later: %+v", got)
	}
}
