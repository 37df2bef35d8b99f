package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/disruption"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/replicaset"
)

func TestANamespaceGoesAlthoughTheAPIServerIsSlow(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	// As a Fault does it: a request that is made again after its delay passes, and
	// of those of one step the last one is remembered.
	var last engine.Resource
	var until time.Time
	w.failCollection = func(r engine.Resource) error {
		now := w.engine.Now()
		if r != last {
			last, until = r, now.Add(5*time.Second)
		}
		if now.Before(until) {
			w.engine.Delay(until)
		}
		last = ""
		return nil
	}
	w.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}})
	w.remove(engine.Namespaces, "", "team", metav1.DeleteOptions{})
	w.advance(5 * time.Second)
	if got := namespaceCondition(w, corev1.NamespaceDeletionContentFailure); strings.Contains(got.Message, "answers") {
		t.Errorf("condition %+v: a slow answer is no failure", got)
	}
	w.advance(time.Minute)
	if _, ok := get[*corev1.Namespace](w.fakeAPI, engine.Namespaces, "", "team"); ok {
		t.Errorf("the Namespace is still there; log:\n%s", w.log)
	}
}

func TestPodsThatCannotBeDeletedDoNotKeepTheRestOfTheirNamespace(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.failCollection = func(r engine.Resource) error {
		if r == engine.Pods {
			return errors.New("no")
		}
		return nil
	}
	w.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}})
	w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "p"}})
	w.remove(engine.Namespaces, "", "team", metav1.DeleteOptions{})
	if diff := cmp.Diff([]string{"*v1.Pod p"}, left(w, "team")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	want := "Failed to delete all resource types, 1 remaining: no"
	if got := namespaceCondition(w, corev1.NamespaceDeletionContentFailure); got.Message != want {
		t.Errorf("condition %+v, want the message %q", got, want)
	}
}

func TestAPodThatCannotBeDeletedHoldsUpNoOtherOrphan(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.failUpdate = func(r engine.Resource, _, name string) error {
		if r == engine.Pods && name == "pod-0" {
			return errors.New("no")
		}
		return nil
	}
	for i := range 3 {
		w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("pod-%d", i)}, Spec: corev1.PodSpec{NodeName: "gone"}})
	}
	w.advance(time.Minute)
	if diff := cmp.Diff([]string{empty[0], "*v1.Pod pod-0", empty[1]}, left(w, "default")); diff != "" {
		t.Errorf("left (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestASlowAnswerBeginsNoNewQuarantine(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	var until time.Time
	w.failUpdate = func(r engine.Resource, _, name string) error {
		now := w.engine.Now()
		if r != engine.Pods || name != "lost" || now.Before(start().Add(40*time.Second)) {
			return nil
		}
		if until.IsZero() {
			until = now.Add(5 * time.Second)
		}
		if now.Before(until) {
			w.engine.Delay(until)
		}
		return nil
	}
	w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "lost"}, Spec: corev1.PodSpec{NodeName: "gone"}})
	w.advance(45 * time.Second)
	if _, ok := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "lost"); ok {
		t.Errorf("the Pod is still there; log:\n%s", w.log)
	}
}

// A ReplicationController guards against nothing: a request that takes its time ends
// the step before it sees an error.
func TestASlowAnswerIsNoFailureOfAReplicationController(t *testing.T) {
	w := newWorld(t, engine.Manual, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{must[*replicaset.Reconciler](t)(replicaset.NewReplication(engine.Host{View: e.View(), API: f, Recorder: recorder(e, f, "replication-controller")}))}
	})
	var until time.Time
	w.failCreate = func(r engine.Resource, _ engine.Object) error {
		now := w.engine.Now()
		if until.IsZero() {
			until = now.Add(5 * time.Second)
		}
		if r == engine.Pods && now.Before(until) {
			w.engine.Delay(until)
		}
		return nil
	}
	w.create(engine.ReplicationControllers, &corev1.ReplicationController{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: corev1.ReplicationControllerSpec{
			Replicas: new(int32(2)), Selector: map[string]string{"app": "web"},
			Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}},
		},
	})
	w.advance(4 * time.Second)
	if n := len(left(w, "default")); n != 1 { // the controller itself
		t.Errorf("%d objects while the API server has not answered, want 1", n)
	}
	w.advance(time.Second)
	rc, _ := get[*corev1.ReplicationController](w.fakeAPI, engine.ReplicationControllers, "default", "web")
	if rc.Status.Replicas != 2 || len(rc.Status.Conditions) > 0 || strings.Contains(w.log.String(), "FailedCreate") {
		t.Errorf("status %+v, want 2 replicas and no condition; log:\n%s", rc.Status, w.log)
	}
}

func TestADependentThatCannotBeChangedHoldsUpNoOtherOrphan(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owner"}})
	owner, _ := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "default", "owner")
	for _, name := range []string{"a", "b"} {
		w.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: owner.UID,
		}}}})
	}
	w.failUpdate = func(_ engine.Resource, _, name string) error {
		if name == "a" {
			return errors.New("no")
		}
		return nil
	}
	orphan := metav1.DeletePropagationOrphan
	w.remove(engine.ConfigMaps, "default", "owner", metav1.DeleteOptions{PropagationPolicy: &orphan})
	b, _ := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "default", "b")
	if len(b.OwnerReferences) > 0 {
		t.Errorf("b still has the owner %v; log:\n%s", b.OwnerReferences, w.log)
	}
	if _, ok := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "default", "owner"); !ok {
		t.Errorf("the owner went before a had lost it; log:\n%s", w.log)
	}
}

func TestABudgetWhoseStatusCannotBeWrittenAllowsNothing(t *testing.T) {
	w := newWorld(t, engine.Manual, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{must[*disruption.Reconciler](t)(disruption.New(engine.Host{View: e.View(), API: f, Recorder: recorder(e, f, "controllermanager")}))}
	})
	refused := false
	w.failUpdate = func(r engine.Resource, _, _ string) error {
		if r == engine.PodDisruptionBudgets && !refused {
			refused = true
			return errors.New("no")
		}
		return nil
	}
	w.create(engine.PodDisruptionBudgets, &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b"}})
	// What is SyncFailed for a moment is looked at again: its own status is a change.
	if got := strings.Count(w.log.String(), "update poddisruptionbudgets"); got != 2 {
		t.Errorf("%d writes of the status, want SyncFailed and then InsufficientPods; log:\n%s", got, w.log)
	}
	pdb, _ := get[*policyv1.PodDisruptionBudget](w.fakeAPI, engine.PodDisruptionBudgets, "default", "b")
	if got := pdb.Status.Conditions; len(got) != 1 || got[0].Reason != policyv1.InsufficientPodsReason {
		t.Errorf("conditions %v", got)
	}
}
