package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestAClientAddsAResource follows the steps of upstream's documentation: a client writes an
// extended resource into the Node's capacity, and takes it out again.
func TestAClientAddsAResource(t *testing.T) {
	r := &Reconciler{cfg: Config{Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")}}}
	n := List(1)[0]
	list := func(quantities ...string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for i := 0; i < len(quantities); i += 2 {
			out[corev1.ResourceName(quantities[i])] = resource.MustParse(quantities[i+1])
		}
		return out
	}
	for name, tc := range map[string]struct {
		capacity, allocatable, want, wantAllocatable corev1.ResourceList
		healthy                                      bool
	}{
		"as it is":                        {list("cpu", "8"), list("cpu", "8"), list("cpu", "8"), list("cpu", "8"), true},
		"one more":                        {list("cpu", "8", "example.com/dongle", "4"), list("cpu", "8"), list("cpu", "8", "example.com/dongle", "4"), list("cpu", "8", "example.com/dongle", "4"), false},
		"other number":                    {list("cpu", "8", "example.com/dongle", "2"), list("cpu", "8", "example.com/dongle", "4"), list("cpu", "8", "example.com/dongle", "2"), list("cpu", "8", "example.com/dongle", "2"), false},
		"less than none":                  {list("cpu", "8", "example.com/dongle", "-2"), list("cpu", "8", "example.com/dongle", "0"), list("cpu", "8", "example.com/dongle", "-2"), list("cpu", "8", "example.com/dongle", "0"), true},
		"no longer there":                 {list("cpu", "8"), list("cpu", "8", "example.com/dongle", "4"), list("cpu", "8"), list("cpu", "8"), false},
		"what the machine has is its own": {list("cpu", "99"), list("cpu", "99"), list("cpu", "8"), list("cpu", "8"), true},
	} {
		t.Run(name, func(t *testing.T) {
			old := &corev1.Node{Status: corev1.NodeStatus{Capacity: tc.capacity, Allocatable: tc.allocatable, Conditions: conditions(nil, noon)}}
			if got := healthy(old); got != tc.healthy {
				t.Errorf("healthy is %t, want %t", got, tc.healthy)
			}
			got := r.status(n, old, noon)
			if diff := cmp.Diff(tc.want, got.Capacity); diff != "" {
				t.Errorf("capacity (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantAllocatable, got.Allocatable); diff != "" {
				t.Errorf("allocatable (-want +got):\n%s", diff)
			}
			if !healthy(&corev1.Node{Status: got}) {
				t.Error("what the kubelet reports is not healthy")
			}
		})
	}
	if len(r.cfg.Capacity) != 1 {
		t.Errorf("the machine itself has got %v", r.cfg.Capacity)
	}
}
