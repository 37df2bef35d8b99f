package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	reported := func(when time.Time) *corev1.Node {
		return &corev1.Node{Status: corev1.NodeStatus{Conditions: conditions(nil, when), NodeInfo: corev1.NodeSystemInfo{BootID: bootID("", "")}}}
	}
	lease := func(when time.Time) *coordinationv1.Lease {
		m := metav1.NewMicroTime(when)
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &m}}
	}
	for name, tc := range map[string]struct {
		seen observed
		want plan
	}{
		"a new node registers; its Lease waits for the namespace": {
			observed{}, plan{Register: true, Announce: true, WakeAt: at(10 * time.Second)},
		},
		"a new node registers with a Lease": {
			observed{LeaseNamespace: true}, plan{Register: true, Announce: true, RenewLease: true, WakeAt: at(10 * time.Second)},
		},
		"a node of an earlier run reports afresh": {
			observed{Node: reported(at(-time.Second)), Lease: lease(at(-time.Second)), LeaseNamespace: true},
			plan{Report: true, Announce: true, WakeAt: at(9 * time.Second)},
		},
		"a Lease is renewed after ten seconds, the status is not": {
			observed{Node: reported(at(-10 * time.Second)), Lease: lease(at(-10 * time.Second)), LeaseNamespace: true, Registered: true},
			plan{RenewLease: true, WakeAt: at(10 * time.Second)},
		},
		"the status is reported after five minutes": {
			observed{Node: reported(at(-5 * time.Minute)), Lease: lease(noon), LeaseNamespace: true, Registered: true},
			plan{Report: true, WakeAt: at(10 * time.Second)},
		},
		"a machine that has started anew is reported": {
			observed{Node: rebooted(reported(noon)), Lease: lease(noon), LeaseNamespace: true, Registered: true},
			plan{Report: true, Reboot: true, WakeAt: at(10 * time.Second)},
		},
		"a Node that lacks memory says so": {
			observed{Node: annotated(reported(noon), v1alpha1.MemoryPressureAnnotation), Lease: lease(noon), LeaseNamespace: true, Registered: true},
			plan{Report: true, WakeAt: at(10 * time.Second)},
		},
		"a Node that was deleted stays away": {
			observed{Registered: true, LeaseNamespace: true}, plan{WakeAt: at(10 * time.Second)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.seen, noon)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func rebooted(obj *corev1.Node) *corev1.Node { return annotated(obj, v1alpha1.BootAnnotation) }

func annotated(obj *corev1.Node, name string) *corev1.Node {
	obj.Annotations = map[string]string{name: "a-fault"}
	return obj
}

func TestListIsOutsideLoopback(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range List(CountMax) {
		ip := net.ParseIP(n.IP)
		_, cidr, err := net.ParseCIDR(n.PodCIDR)
		if ip == nil || ip.IsLoopback() || err != nil || seen[n.IP] || seen[cidr.String()] {
			t.Errorf("node %+v", n)
			continue
		}
		seen[n.IP], seen[cidr.String()] = true, true
	}
	want := Node{Name: "node-1", IP: "10.0.0.10", PodCIDR: "10.244.1.0/24"}
	if diff := cmp.Diff(want, List(1)[0]); diff != "" {
		t.Errorf("first node (-want +got):\n%s", diff)
	}
}

// memory is an API that keeps what it is given.
type memory struct {
	engine   *engine.Engine
	revision int64
	writes   []string
}

func (m *memory) put(t watch.EventType, r engine.Resource, obj engine.Object) (engine.Object, error) {
	m.revision++
	obj = obj.DeepCopyObject().(engine.Object)
	obj.SetResourceVersion(fmt.Sprint(m.revision))
	if e, ok := obj.(*corev1.Event); ok {
		m.writes = append(m.writes, e.Reason+" "+e.Message)
	} else {
		m.writes = append(m.writes, fmt.Sprintf("%s %s/%s", t, r, obj.GetName()))
	}
	m.engine.Deliver(engine.Commit{Revision: m.revision, Type: t, Resource: r, Object: obj})
	return obj, nil
}

func (m *memory) Create(_ context.Context, _ engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	return m.put(watch.Added, r, obj)
}

func (m *memory) Update(_ context.Context, _ engine.Identity, r engine.Resource, _ string, obj engine.Object) (engine.Object, error) {
	return m.put(watch.Modified, r, obj)
}

func (m *memory) Delete(context.Context, engine.Identity, engine.Resource, types.NamespacedName, metav1.DeleteOptions) error {
	return nil
}

func (m *memory) DeleteCollection(context.Context, engine.Identity, engine.Resource, string, metav1.DeleteOptions) error {
	return nil
}

func (m *memory) Bind(context.Context, engine.Identity, *corev1.Binding) error { return nil }

func TestANodeRegistersAndBeats(t *testing.T) {
	e, err := engine.New(engine.Config{Start: noon, Mode: engine.Manual, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	api := &memory{engine: e}
	r, err := New(Config{Engine: e, API: api, Nodes: List(1), Version: "v1.37.2"})
	if err != nil {
		t.Fatal(err)
	}
	e.Register(r)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	if err := e.AwaitRest(ctx); err != nil {
		t.Fatal(err)
	}
	_, _ = api.put(watch.Added, engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-node-lease"}})
	for range 2 {
		if err := e.Advance(ctx, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"ADDED nodes/node-1",
		"Starting Starting kubelet.",
		"NodeAllocatableEnforced Updated Node Allocatable limit across pods",
		"NodeHasSufficientMemory Node node-1 status is now: NodeHasSufficientMemory",
		"NodeHasNoDiskPressure Node node-1 status is now: NodeHasNoDiskPressure",
		"NodeHasSufficientPID Node node-1 status is now: NodeHasSufficientPID",
		"NodeReady Node node-1 status is now: NodeReady",
		"ADDED namespaces/kube-node-lease",
		"ADDED leases.coordination.k8s.io/node-1",
		"MODIFIED leases.coordination.k8s.io/node-1",
		"MODIFIED leases.coordination.k8s.io/node-1",
	}
	if diff := cmp.Diff(want, api.writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}
