package namespace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func ns(deleted bool) *corev1.Namespace {
	out := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}}}
	out.Status.Phase = corev1.NamespaceActive
	if deleted {
		at := metav1.NewTime(noon())
		out.DeletionTimestamp = &at
		out.Status.Phase = corev1.NamespaceTerminating
	}
	return out
}

func holding(r engine.Resource, deleted bool, finalizers ...string) content {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "x", Finalizers: finalizers}}
	if deleted {
		at := metav1.NewTime(noon())
		cm.DeletionTimestamp = &at
	}
	return content{Resource: r, Objects: []engine.Object{cm}}
}

// gist is a plan in words: of the status, the reasons of its conditions.
type gist struct {
	Delete   []engine.Resource
	Reasons  []string
	Finalize bool
	WakeAt   time.Time
}

func withPod(deleted bool, edits ...func(*corev1.Pod)) content {
	grace := int64(30)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "x"}, Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &grace}}
	if deleted {
		at := metav1.NewTime(noon())
		pod.DeletionTimestamp = &at
	}
	for _, edit := range edits {
		edit(pod)
	}
	return content{Resource: engine.Pods, Objects: []engine.Object{pod}}
}

func failed(pod *corev1.Pod)  { pod.Status.Phase = corev1.PodFailed }
func tracked(pod *corev1.Pod) { pod.Finalizers = []string{"batch.kubernetes.io/job-tracking"} }

func deletedBefore(ns *corev1.Namespace, wait time.Duration) *corev1.Namespace {
	at := metav1.NewTime(noon().Add(-wait))
	ns.DeletionTimestamp = &at
	return ns
}

func finalizedBy(ns *corev1.Namespace, finalizers ...corev1.FinalizerName) *corev1.Namespace {
	ns.Spec.Finalizers = finalizers
	return ns
}

func TestDecide(t *testing.T) {
	fine := []string{"ResourcesDiscovered", "ParsedGroupVersions", "ContentDeleted", "ContentRemoved", "ContentHasNoFinalizers"}
	stuck := []string{"ResourcesDiscovered", "ParsedGroupVersions", "ContentDeletionFailed", "ContentRemoved", "ContentHasNoFinalizers"}
	events := content{Resource: engine.Events, Unknown: true}
	for name, tc := range map[string]struct {
		ns      *corev1.Namespace
		content []content
		want    gist
	}{
		"a Namespace that stays is left alone":  {ns(false), []content{holding(engine.ConfigMaps, false)}, gist{}},
		"an empty one goes, with its Events":    {ns(true), []content{events}, gist{Delete: []engine.Resource{engine.Events}, Reasons: fine, Finalize: true}},
		"Pods go first":                         {ns(true), []content{holding(engine.ConfigMaps, false), withPod(false), events}, gist{Delete: []engine.Resource{engine.Pods}}},
		"while Pods end, the rest waits":        {ns(true), []content{holding(engine.ConfigMaps, false), withPod(true)}, gist{Reasons: fine, WakeAt: noon().Add(32 * time.Second)}},
		"a Pod that should be gone is reported": {deletedBefore(ns(true), 32*time.Second), []content{withPod(true)}, gist{Reasons: stuck}},
		"not one that somebody holds":           {deletedBefore(ns(true), time.Hour), []content{withPod(true, tracked)}, gist{Reasons: fine}},
		"one that has ended needs no grace":     {deletedBefore(ns(true), 2*time.Second), []content{withPod(true, failed)}, gist{Reasons: stuck}},
		"another finalizer keeps an empty one":  {finalizedBy(ns(true), "mine"), []content{events}, gist{Delete: []engine.Resource{engine.Events}, Reasons: fine}},
		"but not what is in it":                 {finalizedBy(ns(true), "mine"), []content{holding(engine.Secrets, false)}, gist{Delete: []engine.Resource{engine.Secrets}}},
		"one that nothing keeps goes by itself": {finalizedBy(ns(true)), []content{holding(engine.Secrets, false)}, gist{}},
		"then the rest goes in order":           {ns(true), []content{holding(engine.Secrets, false), holding(engine.ConfigMaps, false)}, gist{Delete: []engine.Resource{engine.Secrets, engine.ConfigMaps}}},
		"what has a finalizer is waited for and named": {
			ns(true), []content{holding(engine.ConfigMaps, true, "example.com/hold"), events},
			gist{Reasons: []string{"ResourcesDiscovered", "ParsedGroupVersions", "ContentDeleted", "SomeResourcesRemain", "SomeFinalizersRemain"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(tc.ns, tc.content, noon())
			got := gist{Delete: p.Delete, Finalize: p.Finalize, WakeAt: p.WakeAt}
			if p.Status != nil {
				for _, c := range p.Status.Conditions {
					got.Reasons = append(got.Reasons, c.Reason)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConditionsThatStayTheSameAreNotWritten(t *testing.T) {
	n := ns(true)
	p := decide(n, []content{holding(engine.ConfigMaps, true)}, noon())
	n.Status = *p.Status
	if again := decide(n, []content{holding(engine.ConfigMaps, true)}, noon().Add(time.Minute)); again.Status != nil {
		t.Errorf("status written again: %v", again.Status)
	}
}
