package scheduler

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func everyShape(*queue) bool { return true }

func TestWaitingTriesTheFirstOfEachShape(t *testing.T) {
	w := newWaiting()
	urgent := int32(1000)
	for _, p := range []*corev1.Pod{
		pod("small-1", asking("cpu", "1")), pod("small-2", asking("cpu", "1")), pod("big", asking("cpu", "2")),
		pod("small-3", asking("cpu", "1")), pod("urgent", func(p *corev1.Pod) { p.Spec.Priority = &urgent }),
	} {
		w.add(p, nil, false)
	}
	names := func() []string {
		var out []string
		for _, n := range w.heads(everyShape) {
			out = append(out, n.Name)
		}
		return out
	}
	if diff := cmp.Diff([]string{"urgent", "small-1", "big"}, names()); diff != "" {
		t.Errorf("heads (-want +got):\n%s", diff)
	}
	w.remove(nameOf(pod("small-2")), false)
	if got := w.remove(nameOf(pod("small-1")), true); len(got) != 1 || got[0].Name != "small-3" {
		t.Errorf("after small-1 comes %v, want small-3", got)
	}
	w.remove(nameOf(pod("urgent")), true)
	if diff := cmp.Diff([]string{"small-3", "big"}, names()); diff != "" {
		t.Errorf("heads (-want +got):\n%s", diff)
	}
}

func TestAWaveOfWaitingPodsDoublesWhileThereIsRoom(t *testing.T) {
	w := newWaiting()
	for i := range 20 {
		w.add(pod(fmt.Sprintf("pod-%02d", i)), nil, false)
	}
	wave := w.heads(everyShape)
	var sizes []int
	for len(wave) > 0 {
		sizes = append(sizes, len(wave))
		var next []types.NamespacedName
		for _, name := range wave {
			next = append(next, w.remove(name, true)...)
		}
		wave = next
	}
	if diff := cmp.Diff([]int{1, 2, 4, 8, 5}, sizes); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
}

// TestCallersMayAppendToWhatIsHandedOut: a Pod that is overwritten in its queue is never tried
// again.
func TestCallersMayAppendToWhatIsHandedOut(t *testing.T) {
	w := newWaiting()
	for _, name := range []string{"a", "b", "c", "d"} {
		w.add(pod(name), nil, false)
	}
	for _, name := range []string{"a", "b", "c"} {
		handed := w.remove(nameOf(pod(name)), name == "a")
		_ = append(handed, nameOf(pod("another")))
	}
	if _, waits := w.refusedBy(nameOf(pod("d"))); !waits {
		t.Fatal("d does not wait any more")
	}
	if heads := w.heads(everyShape); len(heads) != 1 || heads[0].Name != "d" {
		t.Errorf("heads %v, want d", heads)
	}
}
