package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/garbagecollector"
	"github.com/kubesim-dev/kubesim/controllers/job"
	"github.com/kubesim-dev/kubesim/controllers/namespace"
	"github.com/kubesim-dev/kubesim/controllers/podgc"
	"github.com/kubesim-dev/kubesim/controllers/rootcacertpublisher"
	"github.com/kubesim-dev/kubesim/controllers/scheduler"
	"github.com/kubesim-dev/kubesim/controllers/serviceaccount"
	"github.com/kubesim-dev/kubesim/controllers/ttlafterfinished"
)

func servedResources() []engine.Served {
	v1 := schema.GroupVersion{Version: "v1"}
	return []engine.Served{
		{Name: engine.Pods, GVK: v1.WithKind("Pod"), Namespaced: true},
		{Name: engine.ConfigMaps, GVK: v1.WithKind("ConfigMap"), Namespaced: true},
		{Name: engine.ServiceAccounts, GVK: v1.WithKind("ServiceAccount"), Namespaced: true},
		{Name: engine.Jobs, GVK: batchv1.SchemeGroupVersion.WithKind("Job"), Namespaced: true},
		{Name: engine.Events, GVK: v1.WithKind("Event"), Namespaced: true},
		{Name: engine.Nodes, GVK: v1.WithKind("Node")},
	}
}

// fullWorld runs every controller of this folder over one Node.
func fullWorld(t *testing.T, mode engine.Mode, script func(*corev1.Pod, int) end) *world {
	t.Helper()
	w := newWorld(t, mode, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		v := e.View()
		for _, s := range servedResources() {
			e.Serve(s)
		}
		return []engine.Reconciler{
			must[*job.Reconciler](t)(job.New(jobConfig(e, f))),
			must[*ttlafterfinished.Reconciler](t)(ttlafterfinished.New(engine.Host{View: v, API: f})),
			must[*garbagecollector.Reconciler](t)(garbagecollector.New(engine.Host{View: v, API: f, Recorder: recorder(e, f, "garbage-collector-controller")})),
			must[*namespace.Reconciler](t)(namespace.New(engine.Host{View: v, API: f})),
			must[*serviceaccount.Reconciler](t)(serviceaccount.New(engine.Host{View: v, API: f})),
			must[*rootcacertpublisher.Reconciler](t)(rootcacertpublisher.New(rootcacertpublisher.Config{Host: engine.Host{View: v, API: f}, RootCA: []byte("CA")})),
			must[*podgc.Reconciler](t)(podgc.New(podgc.Config{
				Host: engine.Host{View: v, API: f}, TerminatedPodThreshold: 3, Period: podgc.PeriodDefault, Quarantine: podgc.QuarantineDefault,
			})),
			must[*scheduler.Reconciler](t)(scheduler.New(scheduler.Config{Host: engine.Host{View: v, API: f, Recorder: recorder(e, f, "default-scheduler")}, Random: e.Random(), Features: schedulerFeatures()})),
			newKubelet(e, f, script),
		}
	})
	w.create(engine.Nodes, node("node-1", "64", "110"))
	w.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	return w
}

// left names what is in a namespace, without Events.
func left(w *world, namespace string) []string {
	var out []string
	for _, obj := range list[engine.Object](w.fakeAPI) {
		if _, isEvent := obj.(*corev1.Event); isEvent || obj.GetNamespace() != namespace {
			continue
		}
		name := obj.GetName()
		if obj.GetGenerateName() != "" {
			name = obj.GetGenerateName() + "*"
		}
		out = append(out, fmt.Sprintf("%T %s", obj, name))
	}
	return out
}

var empty = []string{"*v1.ConfigMap kube-root-ca.crt", "*v1.ServiceAccount default"}

func TestDeletingAJob(t *testing.T) {
	withJob := append([]string{empty[0], "*v1.Job pi", "*v1.Pod pi-*", "*v1.Pod pi-*"}, empty[1])
	withPods := append([]string{empty[0], "*v1.Pod pi-*", "*v1.Pod pi-*"}, empty[1])
	for name, tc := range map[string]struct {
		policy metav1.DeletionPropagation
		want   []string
	}{
		"in the background takes its Pods along":        {metav1.DeletePropagationBackground, empty},
		"in the foreground waits for its Pods":          {metav1.DeletePropagationForeground, empty},
		"as an orphan leaves its Pods without an owner": {metav1.DeletePropagationOrphan, withPods},
	} {
		t.Run(name, func(t *testing.T) {
			w := fullWorld(t, engine.Manual, always(time.Minute, 0))
			w.create(engine.Jobs, newJob("pi", size(2, 2)))
			if diff := cmp.Diff(withJob, left(w, "default")); diff != "" {
				t.Errorf("before (-want +got):\n%s", diff)
			}
			w.remove(engine.Jobs, "default", "pi", metav1.DeleteOptions{PropagationPolicy: &tc.policy})
			if diff := cmp.Diff(tc.want, left(w, "default")); diff != "" {
				t.Errorf("after (-want +got):\n%s\n%s", diff, w.log)
			}
			for _, pod := range list[*corev1.Pod](w.fakeAPI) {
				if len(pod.OwnerReferences)+len(pod.Finalizers) > 0 {
					t.Errorf("Pod %s has owners %v, finalizers %v", pod.Name, pod.OwnerReferences, pod.Finalizers)
				}
			}
		})
	}
}

func TestATTLDeletesAFinishedJobButDoesNotMoveTime(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(10*time.Second, 0))
	w.create(engine.Jobs, newJob("pi", func(s *batchv1.JobSpec) { ttl := int32(3600); s.TTLSecondsAfterFinished = &ttl }))
	if passed := w.engine.Now().Sub(start()); passed != 11*time.Second {
		t.Errorf("time moved on by %s, want 11s", passed)
	}
	w.advance(time.Hour - time.Second)
	if _, ok := get[*batchv1.Job](w.fakeAPI, engine.Jobs, "default", "pi"); !ok {
		t.Fatal("the Job went before its TTL ended")
	}
	w.advance(time.Second)
	if diff := cmp.Diff(empty, left(w, "default")); diff != "" {
		t.Errorf("left (-want +got):\n%s\n%s", diff, w.log)
	}
	w.create(engine.Jobs, newJob("now", func(s *batchv1.JobSpec) { ttl := int32(0); s.TTLSecondsAfterFinished = &ttl }))
	if diff := cmp.Diff(empty, left(w, "default")); diff != "" {
		t.Errorf("left with a TTL of 0 (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestADeletedNamespaceGoesWithItsContent(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(time.Hour, 0))
	if err := w.engine.SetMode(t.Context(), engine.Manual, 0); err != nil {
		t.Fatal(err)
	}
	w.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}})
	j := newJob("pi", size(3, 3))
	j.Namespace = "team"
	w.create(engine.Jobs, j)
	w.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "held", Finalizers: []string{"example.com/hold"}}})
	w.remove(engine.Namespaces, "", "team", metav1.DeleteOptions{})
	w.advance(time.Minute)
	ns, ok := get[*corev1.Namespace](w.fakeAPI, engine.Namespaces, "", "team")
	if !ok {
		t.Fatalf("the Namespace went although a ConfigMap has a finalizer; log:\n%s", w.log)
	}
	var conditions []string
	for _, c := range ns.Status.Conditions {
		conditions = append(conditions, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	want := []string{
		"NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered",
		"NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed",
		"NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization",
		"NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances",
		"NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
	}
	if diff := cmp.Diff(want, conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s\n%s", diff, w.log)
	}
	w.do(func(ctx context.Context) error {
		held, _ := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "team", "held")
		held = held.DeepCopy()
		held.Finalizers = nil
		_, err := w.Update(ctx, client, engine.ConfigMaps, "", held)
		return err
	})
	if _, ok := get[*corev1.Namespace](w.fakeAPI, engine.Namespaces, "", "team"); ok {
		t.Errorf("the Namespace is still there; log:\n%s", w.log)
	}
	if rest := left(w, "team"); rest != nil {
		t.Errorf("left behind: %v", rest)
	}
}

func TestContentThatCannotBeDeletedIsReported(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.failCollection = func(r engine.Resource) error {
		if r == engine.ConfigMaps && w.engine.Now().Before(start().Add(time.Second)) {
			return errors.New("no")
		}
		return nil
	}
	w.create(engine.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}})
	w.create(engine.ServiceAccounts, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "held", Finalizers: []string{"example.com/hold"}}})
	w.remove(engine.Namespaces, "", "team", metav1.DeleteOptions{})
	want := "Failed to delete all resource types, 1 remaining: no"
	if got := namespaceCondition(w, corev1.NamespaceDeletionContentFailure); got.Reason != "ContentDeletionFailed" || got.Message != want {
		t.Errorf("condition %+v, want the message %q; log:\n%s", got, want, w.log)
	}
	if diff := cmp.Diff([]string{"*v1.ConfigMap kube-root-ca.crt", "*v1.ServiceAccount held"}, left(w, "team")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	w.advance(time.Minute)
	if got := namespaceCondition(w, corev1.NamespaceDeletionContentFailure); got.Reason != "ContentDeleted" {
		t.Errorf("after the next try the condition is %+v", got)
	}
	if diff := cmp.Diff([]string{"*v1.ServiceAccount held"}, left(w, "team")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func namespaceCondition(w *world, of corev1.NamespaceConditionType) corev1.NamespaceCondition {
	ns, _ := get[*corev1.Namespace](w.fakeAPI, engine.Namespaces, "", "team")
	for _, c := range ns.Status.Conditions {
		if c.Type == of {
			return c
		}
	}
	return corev1.NamespaceCondition{}
}

func TestAPodOnAMissingNodeFailsAfterTheQuarantine(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.Pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "lost", Finalizers: []string{"example.com/keep"}},
		Spec:       corev1.PodSpec{NodeName: "node-2"},
	})
	w.advance(39 * time.Second)
	pod, _ := get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "lost")
	if pod.DeletionTimestamp != nil {
		t.Error("deleted before the quarantine ended")
	}
	w.advance(time.Second)
	pod, _ = get[*corev1.Pod](w.fakeAPI, engine.Pods, "default", "lost")
	if pod.DeletionTimestamp == nil || pod.Status.Phase != corev1.PodFailed || pod.Status.Conditions[len(pod.Status.Conditions)-1].Reason != "DeletionByPodGC" {
		t.Errorf("Pod %v, status %v; log:\n%s", pod.ObjectMeta, pod.Status, w.log)
	}
}

func TestTooManyFinishedPodsLoseTheOldest(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(time.Second, 0))
	for i := range 5 {
		w.create(engine.Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("pod-%d", i)}})
	}
	w.advance(time.Minute)
	want := []string{empty[0], "*v1.Pod pod-2", "*v1.Pod pod-3", "*v1.Pod pod-4", empty[1]}
	if diff := cmp.Diff(want, left(w, "default")); diff != "" {
		t.Errorf("left (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestAnOwnerInAnotherNamespaceDoesNotCount(t *testing.T) {
	w := fullWorld(t, engine.Manual, always(time.Hour, 0))
	w.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owner"}})
	owner, _ := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "default", "owner")
	w.create(engine.ConfigMaps, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "child", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: owner.UID,
	}}}})
	if rest := left(w, "other"); rest != nil {
		t.Errorf("left: %v", rest)
	}
	if diff := cmp.Diff([]string{"OwnerRefInvalidNamespace"}, eventsOf(w, "garbage-collector-controller")); diff != "" {
		t.Errorf("Events (-want +got):\n%s\n%s", diff, w.log)
	}
}

func TestWhatEveryNamespaceHasComesBack(t *testing.T) {
	w := fullWorld(t, engine.Auto, always(time.Second, 0))
	w.remove(engine.ServiceAccounts, "default", "default", metav1.DeleteOptions{})
	w.remove(engine.ConfigMaps, "default", "kube-root-ca.crt", metav1.DeleteOptions{})
	if diff := cmp.Diff(empty, left(w, "default")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	ca, _ := get[*corev1.ConfigMap](w.fakeAPI, engine.ConfigMaps, "default", "kube-root-ca.crt")
	if diff := cmp.Diff(map[string]string{"ca.crt": "CA"}, ca.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
