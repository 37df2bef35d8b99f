package resourcequota

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	"k8s.io/utils/clock"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

// atNoon is the clock of upstream's Pod evaluator.
type atNoon struct{ clock.Clock }

// Now implements clock.Clock.
func (atNoon) Now() time.Time { return noon() }

// evaluators are some of upstream's.
func evaluators() []Evaluator {
	return []Evaluator{core.NewPodEvaluator(nil, atNoon{}), core.NewServiceEvaluator(nil)}
}

// amounts reads "name", "quantity" pairs.
func amounts(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func printed(list corev1.ResourceList) map[string]string {
	out := map[string]string{}
	for name, quantity := range list {
		out[string(name)] = quantity.String()
	}
	return out
}

func hard(pairs ...string) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) { q.Spec.Hard = amounts(pairs...) }
}

func status(hard, used corev1.ResourceList) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) { q.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used} }
}

func scopes(scopes ...corev1.ResourceQuotaScope) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) { q.Spec.Scopes = scopes }
}

func ofClass(class string) func(*corev1.ResourceQuota) {
	return func(q *corev1.ResourceQuota) {
		q.Spec.ScopeSelector = &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{
			ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: corev1.ScopeSelectorOpIn, Values: []string{class},
		}}}
	}
}

func newQuota(edits ...func(*corev1.ResourceQuota)) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "q"}}
	for _, edit := range edits {
		edit(q)
	}
	return q
}

func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		quota    *corev1.ResourceQuota
		measured corev1.ResourceList
		want     plan
	}{
		"a new quota gets its limits and what is used": {
			newQuota(hard("pods", "2")), amounts("pods", "1"),
			plan{Status: &corev1.ResourceQuotaStatus{Hard: amounts("pods", "2"), Used: amounts("pods", "1")}},
		},
		"a quota that says what is so is left alone": {
			newQuota(hard("pods", "2"), status(amounts("pods", "2"), amounts("pods", "1"))), amounts("pods", "1"), plan{},
		},
		"one quantity in two forms is no change": {
			newQuota(hard("cpu", "1000m"), status(amounts("cpu", "1"), amounts("cpu", "0.5"))), amounts("cpu", "500m"), plan{},
		},
		"a freed object lowers what is used": {
			newQuota(hard("pods", "2"), status(amounts("pods", "2"), amounts("pods", "2"))), amounts("pods", "1"),
			plan{Status: &corev1.ResourceQuotaStatus{Hard: amounts("pods", "2"), Used: amounts("pods", "1")}},
		},
		"a new limit shows in the status": {
			newQuota(hard("pods", "3"), status(amounts("pods", "2"), amounts("pods", "1"))), amounts("pods", "1"),
			plan{Status: &corev1.ResourceQuotaStatus{Hard: amounts("pods", "3"), Used: amounts("pods", "1")}},
		},
		"a limit that is gone takes its usage along": {
			newQuota(hard("pods", "2"), status(amounts("pods", "2", "services", "1"), amounts("pods", "1", "services", "1"))), amounts("pods", "1"),
			plan{Status: &corev1.ResourceQuotaStatus{Hard: amounts("pods", "2"), Used: amounts("pods", "1")}},
		},
		"what nobody can measure keeps its old usage": {
			newQuota(hard("pods", "2", "example.com/x", "9"), status(nil, amounts("example.com/x", "4"))), amounts("pods", "1"),
			plan{Status: &corev1.ResourceQuotaStatus{Hard: amounts("pods", "2", "example.com/x", "9"), Used: amounts("pods", "1", "example.com/x", "4")}},
		},
		"a quota without limits needs no status": {newQuota(), nil, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.quota, tc.measured)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func newPod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func requests(pairs ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Requests = amounts(pairs...) }
}

func phase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}

func class(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.PriorityClassName = name }
}

func deadline(seconds int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = &seconds }
}

// deleted is a Pod whose grace period ends at the instant at.
func deleted(at time.Time, grace int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: at}, &grace
	}
}

func service(name string, kind corev1.ServiceType) engine.Object {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}, Spec: corev1.ServiceSpec{Type: kind, Ports: make([]corev1.ServicePort, 2)}}
}

func TestMeasure(t *testing.T) {
	for name, tc := range map[string]struct {
		quota   *corev1.ResourceQuota
		objects []engine.Object
		want    map[string]string
	}{
		"what nothing uses is zero": {newQuota(hard("pods", "2", "services", "1")), nil, map[string]string{"pods": "0", "services": "0"}},
		"requests add up":           {newQuota(hard("requests.cpu", "2", "cpu", "2")), []engine.Object{newPod("a", requests("cpu", "300m")), newPod("b", requests("cpu", "1"))}, map[string]string{"requests.cpu": "1300m", "cpu": "1300m"}},
		"memory keeps its form":     {newQuota(hard("requests.memory", "1Gi")), []engine.Object{newPod("a", requests("memory", "64Mi"))}, map[string]string{"requests.memory": "64Mi"}},
		"a Pod that has ended is still counted, but as an object only": {
			newQuota(hard("pods", "9", "count/pods", "9", "requests.cpu", "9")),
			[]engine.Object{newPod("a", requests("cpu", "1")), newPod("b", requests("cpu", "1"), phase(corev1.PodFailed))},
			map[string]string{"pods": "1", "count/pods": "2", "requests.cpu": "1"},
		},
		"a Pod that is being deleted counts until its grace is over twice": {
			newQuota(hard("pods", "9")),
			[]engine.Object{newPod("a", deleted(noon().Add(-time.Minute), 60)), newPod("b", deleted(noon().Add(-61*time.Second), 60))},
			map[string]string{"pods": "1"},
		},
		"services are counted by their type": {
			newQuota(hard("services", "9", "services.nodeports", "9", "services.loadbalancers", "9", "count/services", "9")),
			[]engine.Object{service("a", corev1.ServiceTypeClusterIP), service("b", corev1.ServiceTypeNodePort), service("c", corev1.ServiceTypeLoadBalancer)},
			map[string]string{"services": "3", "services.nodeports": "4", "services.loadbalancers": "1", "count/services": "3"},
		},
		"the scope Terminating is for Pods with a deadline": {
			newQuota(hard("pods", "9"), scopes(corev1.ResourceQuotaScopeTerminating)),
			[]engine.Object{newPod("a"), newPod("b", deadline(5))}, map[string]string{"pods": "1"},
		},
		"a Pod must match every scope": {
			newQuota(hard("pods", "9"), scopes(corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeBestEffort)),
			[]engine.Object{newPod("a"), newPod("b", requests("cpu", "1")), newPod("c", deadline(5))}, map[string]string{"pods": "1"},
		},
		"a scopeSelector picks a priority class": {
			newQuota(hard("pods", "9"), ofClass("high")),
			[]engine.Object{newPod("a", class("high")), newPod("b", class("low")), newPod("c")}, map[string]string{"pods": "1"},
		},
		"what has no scopes is left out of a quota with some": {
			newQuota(hard("pods", "9", "services", "9"), scopes(corev1.ResourceQuotaScopeBestEffort)),
			[]engine.Object{newPod("a"), service("a", corev1.ServiceTypeClusterIP)}, map[string]string{"pods": "1", "services": "0"},
		},
		"what no evaluator knows is left out": {newQuota(hard("count/widgets.example.com", "1")), nil, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := measure(tc.quota, evaluators(), of(tc.objects))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, printed(got)); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

// of lists objects by their type.
func of(objects []engine.Object) lister {
	return func(e Evaluator, _ string, _ []corev1.ResourceName) []engine.Object {
		var out []engine.Object
		for _, obj := range objects {
			if _, isPod := obj.(*corev1.Pod); isPod == (resourceOf(e) == engine.Pods) {
				out = append(out, obj)
			}
		}
		return out
	}
}

// broken is an evaluator that cannot measure.
type broken struct{ Evaluator }

var errBroken = errors.New("no scale")

// Usage implements Evaluator.
func (broken) Usage(runtime.Object) (corev1.ResourceList, error) { return nil, errBroken }

func TestMeasureLeavesOutWhatCannotBeMeasured(t *testing.T) {
	list := of([]engine.Object{newPod("a"), service("a", corev1.ServiceTypeClusterIP)})
	got, err := measure(newQuota(hard("pods", "9", "services", "9")), []Evaluator{broken{core.NewPodEvaluator(nil, atNoon{})}, core.NewServiceEvaluator(nil)}, list)
	if !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	if diff := cmp.Diff(map[string]string{"services": "1"}, printed(got)); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}
