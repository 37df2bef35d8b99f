package controllers_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler"
)

// schedulerWorld runs the scheduler alone. Pods neither start nor end by themselves: a deleted
// one is there until the test says that it has ended.
func schedulerWorld(t *testing.T, nodes ...*corev1.Node) *world {
	t.Helper()
	w := newWorld(t, engine.Auto, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{must[*scheduler.Reconciler](t)(scheduler.New(scheduler.Config{
			Host: engine.Host{View: e.View(), API: f, Recorder: recorder(e, f, "default-scheduler")}, Random: e.Random(), Features: schedulerFeatures(),
		}))}
	})
	for _, n := range nodes {
		w.create(engine.Nodes, n)
	}
	return w
}

// asks returns a Pod of a priority that asks for so many CPUs, and holds its Node while it ends.
func asks(name string, priority int32, cpu string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{Priority: &priority, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
		}}}},
	}
}

func (w *world) pod(name string) *corev1.Pod {
	w.t.Helper()
	pod, ok := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", name)
	if !ok {
		w.t.Fatalf("there is no Pod %s", name)
	}
	return pod
}

// end lets a deleted Pod go.
func (w *world) end(name string) {
	w.t.Helper()
	if pod := w.pod(name); pod.DeletionTimestamp == nil {
		w.t.Fatalf("Pod %s is not being deleted", name)
	}
	at := int64(0)
	w.remove(engine.Pods, "default", name, metav1.DeleteOptions{GracePeriodSeconds: &at})
}

func condition(pod *corev1.Pod, of corev1.PodConditionType) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == of {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
	}
	return ""
}

func TestAHigherPriorityMakesRoom(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"), node("node-2", "4", "10"))
	w.create(engine.Pods, asks("cheap", 1, "3"))
	w.create(engine.Pods, asks("dear", 10, "3"))
	w.create(engine.Pods, asks("urgent", 100, "3"))

	urgent, cheap := w.pod("urgent"), w.pod("cheap")
	if urgent.Status.NominatedNodeName == "" || urgent.Status.NominatedNodeName != cheap.Spec.NodeName {
		t.Errorf("the nominated Node is %q, want that of the cheapest Pod, %q", urgent.Status.NominatedNodeName, cheap.Spec.NodeName)
	}
	if got, want := condition(cheap, corev1.DisruptionTarget), "True PreemptionByScheduler: default-scheduler: preempting to accommodate a higher priority pod"; got != want {
		t.Errorf("the victim's condition is %q, want %q", got, want)
	}
	if w.pod("dear").DeletionTimestamp != nil {
		t.Error("the dearer Pod is deleted")
	}
	const message = "False Unschedulable: 0/2 nodes are available: 2 Insufficient cpu. preemption: found a potential placement for pod on node "
	if got, want := condition(urgent, corev1.PodScheduled), message+cheap.Spec.NodeName+", preempting 1 victims"; got != want {
		t.Errorf("the condition is %q, want %q", got, want)
	}
	w.end("cheap")
	if got := w.pod("urgent").Spec.NodeName; got != cheap.Spec.NodeName {
		t.Errorf("the Pod is on %q, want %q", got, cheap.Spec.NodeName)
	}
	if diff := cmp.Diff([]string{"Scheduled", "Scheduled", "Preempted", "FailedScheduling", "Scheduled"}, eventsOf(w, "default-scheduler")); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

func TestRoomIsKeptForTheNominatedPod(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"))
	w.create(engine.Pods, asks("cheap", 1, "3"))
	w.create(engine.Pods, asks("urgent", 100, "4"))
	w.create(engine.Pods, asks("late", 50, "1"))
	if got := w.pod("late").Spec.NodeName; got != "" {
		t.Errorf("a later Pod of lower priority has taken the room on %s", got)
	}
	w.end("cheap")
	if got := w.pod("urgent").Spec.NodeName; got != "node-1" {
		t.Errorf("the Pod is on %q, want node-1", got)
	}
}

func TestAMoreUrgentPodTakesANominationAway(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"))
	w.create(engine.Pods, asks("cheap", 1, "3"))
	w.create(engine.Pods, asks("urgent", 100, "4"))
	w.create(engine.Pods, asks("most", 1000, "4"))
	if got := w.pod("urgent").Status.NominatedNodeName; got != "" {
		t.Errorf("the nomination for %s stands", got)
	}
	w.end("cheap")
	if got := w.pod("most").Spec.NodeName; got != "node-1" {
		t.Errorf("the most urgent Pod is on %q, want node-1", got)
	}
	if got := w.pod("urgent").Spec.NodeName; got != "" {
		t.Errorf("the other is on %q", got)
	}
}

func TestABudgetIsSparedIfItCanBe(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"), node("node-2", "4", "10"))
	w.create(engine.PodDisruptionBudgets, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "guarded"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "guarded"}}},
	})
	w.create(engine.Pods, asks("guarded", 1, "3"))
	w.create(engine.Pods, asks("open", 10, "3"))
	w.create(engine.Pods, asks("urgent", 100, "3"))
	if w.pod("guarded").DeletionTimestamp != nil || w.pod("open").DeletionTimestamp == nil {
		t.Error("the guarded Pod is deleted, though the other was possible")
	}
}

func TestAPodThatNeverPreemptsWaits(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"))
	w.create(engine.Pods, asks("cheap", 1, "3"))
	patient, never := asks("patient", 100, "3"), corev1.PreemptNever
	patient.Spec.PreemptionPolicy = &never
	w.create(engine.Pods, patient)
	const want = "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
	if got := condition(w.pod("patient"), corev1.PodScheduled); got != want {
		t.Errorf("the condition is %q, want %q", got, want)
	}
	if w.pod("cheap").DeletionTimestamp != nil {
		t.Error("a Pod is preempted")
	}
}

// TestTheHigherPriorityIsTriedFirst lets both arrive in one commit's wake: room for one.
func TestTheHigherPriorityIsTriedFirst(t *testing.T) {
	w := schedulerWorld(t)
	w.do(func(ctx context.Context) error {
		for _, pod := range []*corev1.Pod{asks("low", 1, "3"), asks("high", 100, "3")} {
			if _, err := w.Create(ctx, client, engine.Pods, pod); err != nil {
				return err
			}
		}
		_, err := w.Create(ctx, client, engine.Nodes, node("node-1", "4", "10"))
		return err
	})
	if high, low := w.pod("high").Spec.NodeName, w.pod("low").Spec.NodeName; high != "node-1" || low != "" {
		t.Errorf("high is on %q and low on %q", high, low)
	}
}

// TestAGateAndAForeignSchedulerKeepAPodWaiting: neither is touched.
func TestAGateAndAForeignSchedulerKeepAPodWaiting(t *testing.T) {
	w := schedulerWorld(t, node("node-1", "4", "10"))
	gated, foreign := asks("gated", 1, "1"), asks("foreign", 1, "1")
	gated.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/wait"}}
	foreign.Spec.SchedulerName = "other"
	w.create(engine.Pods, gated)
	w.create(engine.Pods, foreign)
	for _, name := range []string{"gated", "foreign"} {
		if pod := w.pod(name); pod.Spec.NodeName != "" || len(pod.Status.Conditions) > 0 {
			t.Errorf("Pod %s is on %q with %v", name, pod.Spec.NodeName, pod.Status.Conditions)
		}
	}
	open := w.pod("gated").DeepCopy()
	open.Spec.SchedulingGates = nil
	w.do(func(ctx context.Context) error {
		_, err := w.Update(ctx, client, engine.Pods, "", open)
		return err
	})
	if got := w.pod("gated").Spec.NodeName; got != "node-1" {
		t.Errorf("the Pod is on %q after its gate is gone", got)
	}
}
