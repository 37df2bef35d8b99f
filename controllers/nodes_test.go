package controllers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/nodelifecycle"
	"github.com/kubesim-dev/kubesim/controllers/tainteviction"
)

// heart posts a Node's heartbeats, every ten seconds, as a chore; not while the
// Node is silent.
type heart struct {
	engine *engine.Engine
	api    *fakeAPI
	silent map[string]bool
}

func (*heart) Name() string { return "heart" }

func (h *heart) Observe(c engine.Commit) []engine.Key {
	if n, ok := c.Object.(*corev1.Node); ok && c.Old == nil {
		return []engine.Key{{Controller: "heart", Name: n.Name}}
	}
	return nil
}

func (h *heart) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	next := engine.Upkeep(now.Add(10 * time.Second))
	n, ok := engine.Get[*corev1.Node](h.engine.View(), engine.Nodes, "", key.Name)
	if !ok || h.silent[key.Name] {
		return next, nil
	}
	if n.Status.Conditions[0].Status != corev1.ConditionTrue {
		n = n.DeepCopy()
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.NewTime(now)}}
		_, err := h.api.Update(ctx, client, engine.Nodes, "status", n)
		return next, err
	}
	at := metav1.NewMicroTime(now)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: n.Name}, Spec: coordinationv1.LeaseSpec{RenewTime: &at}}
	_, err := h.api.Update(ctx, client, engine.Leases, "", lease)
	if apierrors.IsNotFound(err) {
		_, err = h.api.Create(ctx, client, engine.Leases, lease)
	}
	return next, err
}

// nodesWorld runs the controllers of Nodes over two of them. The controllers see
// a commit before the heart does, as in kubesim.
func nodesWorld(t *testing.T, silent map[string]bool) *world {
	t.Helper()
	w := newWorld(t, engine.Manual, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		v := e.View()
		return []engine.Reconciler{
			must[*nodelifecycle.Reconciler](t)(nodelifecycle.New(nodelifecycle.Config{
				Host: engine.Host{View: v, API: f, Recorder: recorder(e, f, "node-controller")},
				Check: func(n *corev1.Node, at time.Time) engine.Wake {
					if silent[n.Name] {
						return engine.Progress(at)
					}
					return engine.Upkeep(at)
				},
			})),
			must[*tainteviction.Reconciler](t)(tainteviction.New(engine.Host{View: v, API: f, Recorder: recorder(e, f, "taint-eviction-controller")})),
			&heart{e, f, silent},
		}
	})
	for _, name := range []string{"node-1", "node-2"} {
		n := node(name, "8", "110")
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.NewTime(start())}}
		w.create(engine.Nodes, n)
		w.advance(5 * time.Second) // so that no two things are due together
	}
	return w
}

func readyOf(t *testing.T, w *world, name string) corev1.ConditionStatus {
	t.Helper()
	n, ok := get[*corev1.Node](w.fakeAPI, engine.Nodes, "", name)
	if !ok || len(n.Status.Conditions) == 0 {
		t.Fatalf("Node %s: %+v", name, n)
	}
	return n.Status.Conditions[0].Status
}

func TestNoJumpOfTheClockMakesAHealthyNodeUnknown(t *testing.T) {
	// Whatever the distance between the check of a Node and its next heartbeat
	// is, either may be due first.
	for _, steps := range [][]time.Duration{
		{time.Hour},
		{7 * time.Second, time.Hour},
		{13 * time.Second, 13 * time.Second, 13 * time.Second, time.Hour},
		{10 * time.Second, 10 * time.Second, 10 * time.Second, 9 * time.Second, time.Hour},
		{49 * time.Second, 2 * time.Second, 720 * time.Hour, time.Second, time.Hour},
	} {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			w := nodesWorld(t, nil)
			for _, d := range steps {
				w.advance(d)
			}
			if diff := cmp.Diff([]string{"RegisteredNode", "RegisteredNode"}, eventsOf(w, "node-controller")); diff != "" {
				t.Errorf("Events (-want +got):\n%s\n%s", diff, w.log)
			}
		})
	}
}

func TestANodeThatFallsSilentLosesItsPodsAndComesBack(t *testing.T) {
	silent := map[string]bool{}
	w := nodesWorld(t, silent)
	w.advance(10 * time.Second)
	at := w.engine.Now()
	five := int64(300)
	w.create(engine.Pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"},
		Spec: corev1.PodSpec{NodeName: "node-1", Tolerations: []corev1.Toleration{{
			Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &five,
		}}},
	})
	silent["node-1"] = true
	n, _ := get[*corev1.Node](w.fakeAPI, engine.Nodes, "", "node-1")
	w.do(func(ctx context.Context) error { // something happens to the Node: its check is punctual from now on
		n = n.DeepCopy()
		n.Labels = map[string]string{"touched": "yes"}
		_, err := w.Update(ctx, client, engine.Nodes, "", n)
		return err
	})
	lease, _ := get[*coordinationv1.Lease](w.fakeAPI, engine.Leases, corev1.NamespaceNodeLease, "node-1")
	due := lease.Spec.RenewTime.Add(50 * time.Second)
	w.advance(due.Sub(at) - time.Second)
	if got := readyOf(t, w, "node-1"); got != corev1.ConditionTrue {
		t.Fatalf("Ready is %s after 49 seconds; log:\n%s", got, w.log)
	}
	w.advance(time.Second)
	if got := readyOf(t, w, "node-1"); got != corev1.ConditionUnknown {
		t.Fatalf("Ready is %s after 50 seconds; log:\n%s", got, w.log)
	}
	w.advance(299 * time.Second)
	if pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "p"); pod.DeletionTimestamp != nil {
		t.Error("the Pod went before its toleration ended")
	}
	w.advance(time.Second)
	pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "p")
	if pod.DeletionTimestamp == nil || pod.Status.Conditions[0].Reason != "DeletionByTaintManager" {
		t.Errorf("Pod %+v, status %+v; log:\n%s", pod.ObjectMeta, pod.Status, w.log)
	}
	delete(silent, "node-1")
	w.advance(10 * time.Second)
	n, _ = get[*corev1.Node](w.fakeAPI, engine.Nodes, "", "node-1")
	if len(n.Spec.Taints) > 0 || readyOf(t, w, "node-1") != corev1.ConditionTrue {
		t.Errorf("after its return: taints %v, conditions %v; log:\n%s", n.Spec.Taints, n.Status.Conditions, w.log)
	}
	if got := readyOf(t, w, "node-2"); got != corev1.ConditionTrue {
		t.Errorf("the other Node: Ready is %s", got)
	}
}

// vouched creates two Pods on node-1 that are ready, and lets the Node fall silent.
func vouched(w *world, silent map[string]bool) {
	for _, name := range []string{"a", "b"} {
		w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: corev1.PodSpec{NodeName: "node-1"}})
		w.do(func(ctx context.Context) error {
			pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", name)
			pod = pod.DeepCopy()
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			_, err := w.Update(ctx, client, engine.Pods, "status", pod)
			return err
		})
	}
	silent["node-1"] = true
}

func podReady(w *world, name string) corev1.ConditionStatus {
	pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", name)
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status
		}
	}
	return ""
}

func TestAPodThatCannotBeChangedHoldsUpNoOtherOfItsNode(t *testing.T) {
	silent := map[string]bool{}
	w := nodesWorld(t, silent)
	vouched(w, silent)
	until := w.engine.Now().Add(time.Minute)
	w.failUpdate = func(r engine.Resource, subresource, name string) error {
		if r == engine.Pods && name == "a" && w.engine.Now().Before(until) {
			return fmt.Errorf("no")
		}
		return nil
	}
	w.advance(time.Minute - time.Second)
	if got := readyOf(t, w, "node-1"); got != corev1.ConditionUnknown {
		t.Fatalf("the Node's Ready is %s; log:\n%s", got, w.log)
	}
	if a, b := podReady(w, "a"), podReady(w, "b"); a != corev1.ConditionTrue || b != corev1.ConditionFalse {
		t.Errorf("Ready of a is %s, of b %s; log:\n%s", a, b, w.log)
	}
	n, _ := get[*corev1.Node](w.fakeAPI, engine.Nodes, "", "node-1")
	if len(n.Spec.Taints) != 2 {
		t.Errorf("taints %v; log:\n%s", n.Spec.Taints, w.log)
	}
	w.advance(time.Minute)
	if got := podReady(w, "a"); got != corev1.ConditionFalse {
		t.Errorf("Ready of a is %s when it can be changed; log:\n%s", got, w.log)
	}
}

func TestANodeThatWasNotReadyBeforeItFellSilentKeepsItsPodsReady(t *testing.T) {
	silent := map[string]bool{}
	w := nodesWorld(t, silent)
	vouched(w, silent)
	w.do(func(ctx context.Context) error {
		n, _ := get[*corev1.Node](w.fakeAPI, engine.Nodes, "", "node-1")
		n = n.DeepCopy()
		n.Status.Conditions[0].Status = corev1.ConditionFalse
		_, err := w.Update(ctx, client, engine.Nodes, "status", n)
		return err
	})
	w.advance(time.Minute)
	if got := readyOf(t, w, "node-1"); got != corev1.ConditionUnknown {
		t.Fatalf("the Node's Ready is %s; log:\n%s", got, w.log)
	}
	if a, b := podReady(w, "a"), podReady(w, "b"); a != corev1.ConditionTrue || b != corev1.ConditionTrue {
		t.Errorf("Ready of a is %s, of b %s: upstream marks the Pods of a Node that was ready; log:\n%s", a, b, w.log)
	}
}

func TestAnEvictionThatIsTriedAgainIsToldOnce(t *testing.T) {
	w := nodesWorld(t, map[string]bool{})
	w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}, Spec: corev1.PodSpec{NodeName: "node-1"}})
	failures := 0
	w.failDelete = func(engine.Resource, string) error {
		if failures++; failures < 4 {
			return fmt.Errorf("no")
		}
		return nil
	}
	w.do(func(ctx context.Context) error {
		n, _ := get[*corev1.Node](w.fakeAPI, engine.Nodes, "", "node-1")
		n = n.DeepCopy()
		n.Spec.Taints = []corev1.Taint{{Key: "mine", Effect: corev1.TaintEffectNoExecute}}
		_, err := w.Update(ctx, client, engine.Nodes, "", n)
		return err
	})
	w.advance(time.Minute)
	if pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "p"); pod.DeletionTimestamp == nil {
		t.Errorf("the Pod stays; log:\n%s", w.log)
	}
	told := int32(0)
	for _, e := range list[*corev1.Event](w.fakeAPI) {
		if e.Reason == "TaintManagerEviction" {
			told += e.Count
		}
	}
	if told != 1 {
		t.Errorf("told %d times; log:\n%s", told, w.log)
	}
}
