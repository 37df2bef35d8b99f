package lifecycle

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

// smallPool is one node with five addresses for Pods: 10.244.1.2 to 10.244.1.6.
func smallPool(t *testing.T, mode engine.Mode) *cluster {
	t.Helper()
	nodes := node.List(1)
	nodes[0].PodCIDR = "10.244.1.0/29"
	return startCluster(t, mode, nil, nodes, &fakeRuntime{}, nil, hostDefault)
}

func (c *cluster) finish(names ...string) {
	for _, name := range names {
		c.create(engine.Pods, newPod(name, runs("exit 0")))
		c.advance(time.Minute)
	}
}

func (c *cluster) hold(names ...string) {
	for _, name := range names {
		c.create(engine.Pods, newPod(name, runs("sleep 360000")))
		c.advance(time.Minute)
	}
}

// addresses are those of the live Pods, and of each that has one, the last part.
func (c *cluster) addresses() string {
	var all []string
	seen := map[string]string{}
	for name, obj := range c.api.objects[engine.Pods] {
		pod := obj.(*corev1.Pod)
		if pod.Status.PodIP == "" || pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		if other := seen[pod.Status.PodIP]; other != "" {
			c.t.Errorf("Pods %s and %s both have %s", other, name.Name, pod.Status.PodIP)
		}
		seen[pod.Status.PodIP] = name.Name
		all = append(all, pod.Name+"="+pod.Status.PodIP[len("10.244.1"):])
	}
	return strings.Join(slices.Sorted(slices.Values(all)), " ")
}

// TestAddressesOfFinishedPods runs a story in which the pool wraps, without a stop
// and with one of each kind in the middle: nobody keeps an address after its end.
func TestAddressesOfFinishedPods(t *testing.T) {
	story := func(again func(*cluster) *cluster) string {
		c := smallPool(t, engine.Manual)
		c.hold("a")
		c.finish("f1", "f2", "f3")
		c = again(c)
		c.hold("b", "d")
		c = again(c)
		c.finish("f4", "f5", "f6")
		c.hold("e")
		return c.addresses()
	}
	want := "a=.2 b=.6 d=.3 e=.5"
	if got := story(func(c *cluster) *cluster { return c }); got != want {
		t.Fatalf("addresses: got %s, want %s", got, want)
	}
	if got := story(func(c *cluster) *cluster { return resume(t, engine.Manual, c) }); got != want {
		t.Errorf("with a stop in the middle: got %s, want %s", got, want)
	}
	// Without a mark nobody knows where the pool was: it begins at its start.
	if got := story(func(c *cluster) *cluster { return restart(t, engine.Manual, c, c.runtime) }); got == "" {
		t.Error("after a restart without a mark no Pod runs")
	}
}

// TestAddressOfADeletedPod deletes a Pod that has finished long ago, after another
// has got its address: the other one keeps it.
func TestAddressOfADeletedPod(t *testing.T) {
	for name, again := range map[string]func(*cluster) *cluster{
		"at once":                        func(c *cluster) *cluster { return c },
		"after a restart":                func(c *cluster) *cluster { return resume(t, engine.Manual, c) },
		"after a restart without a mark": func(c *cluster) *cluster { return restart(t, engine.Manual, c, c.runtime) },
	} {
		t.Run(name, func(t *testing.T) {
			c := smallPool(t, engine.Manual)
			c.finish("old")
			c.hold("a", "b", "d", "e", "heir")
			c = again(c)
			if got := c.addresses(); !strings.Contains(got, "heir=.2") {
				t.Fatalf("addresses: %s, want heir to have the finished Pod's", got)
			}
			c.delete("old")
			c.delete("a")
			c.advance(time.Minute)
			c.hold("x")
			c.addresses()
			c.hold("y") // there is none left
			if pod := c.api.pod(t, "y"); pod.Status.PodIP != "" {
				t.Errorf("a sixth live Pod of five addresses has %s", pod.Status.PodIP)
			}
		})
	}
}

// TestHas is the rule in all the states that a Pod may be in.
func TestHas(t *testing.T) {
	c := smallPool(t, engine.Manual)
	c.hold("a")
	c.finish("f")
	c.create(engine.Pods, newPod("host", runs("sleep 360000"), func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	c.advance(time.Minute)
	h := func(name string) addresses.Holder {
		return addresses.Holder{Name: types.NamespacedName{Namespace: "default", Name: name}, UID: c.api.pod(t, name).UID}
	}
	for _, tc := range []struct {
		h    addresses.Holder
		ip   string
		want bool
	}{
		{h("a"), "10.244.1.2", true},
		{h("a"), "10.244.1.3", false},
		{addresses.Holder{Name: h("a").Name, UID: "another"}, "10.244.1.2", false},
		{h("f"), "10.244.1.3", false},
		{h("host"), c.nodes[0].IP, false},
		{addresses.Holder{Name: types.NamespacedName{Name: "nobody"}}, "10.244.1.4", false},
	} {
		addr := netip.MustParseAddr(tc.ip)
		if got := c.kubelet.has(tc.h, addr); got != tc.want {
			t.Errorf("%v has %s: got %v, want %v", tc.h, tc.ip, got, tc.want)
		}
		// Of Pods that it has not met yet the kubelet knows the same.
		runs := c.kubelet.runs
		c.kubelet.runs = nil
		if got := c.kubelet.has(tc.h, addr); got != tc.want {
			t.Errorf("by its status, %v has %s: got %v, want %v", tc.h, tc.ip, got, tc.want)
		}
		c.kubelet.runs = runs
	}
}

// TestNoAddressIsNoReasonToMoveTime: mode auto moves time for a few tries only, and
// for more once an address has come free.
func TestNoAddressIsNoReasonToMoveTime(t *testing.T) {
	c := smallPool(t, engine.Auto)
	always := func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyAlways }
	for _, name := range []string{"a", "b", "d", "e", "f"} {
		c.create(engine.Pods, newPod(name, runs("sleep 360000"), always))
	}
	before, writes := c.engine.Now(), len(c.api.writes)
	c.create(engine.Pods, newPod("x", runs("sleep 360000"), always))
	if moved, wrote := c.engine.Now().Sub(before), len(c.api.writes)-writes; moved > 2*time.Minute || wrote > 40 {
		t.Errorf("time moved by %s, with %d writes, for a Pod that there is no address for", moved, wrote)
	}
	c.delete("a")
	if ip := c.api.pod(t, "x").Status.PodIP; ip != "10.244.1.2" {
		t.Errorf("after another Pod has gone it has the address %q", ip)
	}
}
