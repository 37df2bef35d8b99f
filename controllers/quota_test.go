package controllers_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	"k8s.io/utils/clock"

	"github.com/kubesim-dev/kubesim/controllers/clusterroleaggregation"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/resourcequota"
)

// engineClock tells upstream's evaluators the engine's time.
type engineClock struct {
	clock.Clock
	engine *engine.Engine
}

// Now implements clock.Clock.
func (c engineClock) Now() time.Time { return c.engine.Now() }

func quotaWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, engine.Manual, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{must[*resourcequota.Reconciler](t)(resourcequota.New(resourcequota.Config{
			Host: engine.Host{View: e.View(), API: f}, Evaluators: []resourcequota.Evaluator{core.NewPodEvaluator(nil, engineClock{engine: e}), core.NewServiceEvaluator(nil)},
		}))}
	})
}

func newResourceQuota(name, limit string) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse(limit)}},
	}
}

// usage is a quota's status: hard/used Pods.
func usage(t *testing.T, w *world, name string) string {
	t.Helper()
	quota, ok := get[*corev1.ResourceQuota](w.fakeAPI, engine.ResourceQuotas, "team", name)
	if !ok {
		t.Fatalf("quota %s is gone", name)
	}
	return quota.Status.Used.Pods().String() + "/" + quota.Status.Hard.Pods().String()
}

func (w *world) update(r engine.Resource, subresource string, obj engine.Object) {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		_, err := w.Update(ctx, client, r, subresource, obj)
		return err
	})
}

func teamPod(name string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{Phase: phase},
	}
}

func TestAQuotaFollowsItsNamespace(t *testing.T) {
	w := quotaWorld(t)
	expect := func(when, want string) {
		t.Helper()
		if diff := cmp.Diff(want, usage(t, w, "q")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	w.create(engine.Pods, teamPod("a", corev1.PodRunning))
	w.create(engine.Pods, teamPod("b", corev1.PodRunning))
	w.create(engine.ResourceQuotas, newResourceQuota("q", "4"))
	expect("a new quota counts what is there", "2/4")

	w.update(engine.ResourceQuotas, "", newResourceQuota("q", "3"))
	expect("a new limit is taken over", "2/3")

	w.update(engine.Pods, "status", teamPod("a", corev1.PodSucceeded))
	expect("a Pod that ends frees its place", "1/3")

	writes := w.writes["update resourcequotas/status"]
	w.update(engine.Pods, "status", teamPod("b", corev1.PodPending))
	w.remove(engine.Pods, "team", "a", metav1.DeleteOptions{})
	expect("a change of phase or the deletion of what has ended frees nothing", "1/3")
	if got := w.writes["update resourcequotas/status"]; got != writes {
		t.Errorf("%d writes where nothing had changed", got-writes)
	}

	none := int64(0)
	w.remove(engine.Pods, "team", "b", metav1.DeleteOptions{GracePeriodSeconds: &none})
	expect("a Pod that is gone frees its place", "0/3")
}

// Admission charges a Pod before it is created. A count at that moment, or at
// the creation of another Pod, would take the charge back.
func TestAQuotaLeavesWhatAdmissionHasCharged(t *testing.T) {
	w := quotaWorld(t)
	w.create(engine.ResourceQuotas, newResourceQuota("q", "3"))
	w.create(engine.Pods, teamPod("unquoted", corev1.PodRunning))
	charged, _ := get[*corev1.ResourceQuota](w.fakeAPI, engine.ResourceQuotas, "team", "q")
	charged = charged.DeepCopy()
	charged.Status.Used[corev1.ResourcePods] = resource.MustParse("3")
	w.update(engine.ResourceQuotas, "status", charged)
	w.create(engine.Pods, teamPod("quoted", corev1.PodRunning))
	if diff := cmp.Diff("3/3", usage(t, w, "q")); diff != "" {
		t.Errorf("while Pods are on their way (-want +got):\n%s", diff)
	}
	w.advance(5 * time.Minute)
	if diff := cmp.Diff("2/3", usage(t, w, "q")); diff != "" {
		t.Errorf("a Pod that never came is found by the resync (-want +got):\n%s", diff)
	}
}

func TestPodsThatGoInOneInstantAreCountedOnce(t *testing.T) {
	w := quotaWorld(t)
	w.create(engine.ResourceQuotas, newResourceQuota("q", "9"))
	w.do(func(ctx context.Context) error {
		for _, name := range []string{"a", "b", "c"} {
			if _, err := w.Create(ctx, client, engine.Pods, teamPod(name, corev1.PodRunning)); err != nil {
				return err
			}
		}
		return nil
	})
	w.advance(5 * time.Minute)
	writes := w.writes["update resourcequotas/status"]
	none := int64(0)
	w.do(func(ctx context.Context) error {
		return w.DeleteCollection(ctx, client, engine.Pods, "team", metav1.DeleteOptions{GracePeriodSeconds: &none})
	})
	if diff := cmp.Diff("0/9", usage(t, w, "q")); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if got := w.writes["update resourcequotas/status"] - writes; got != 1 {
		t.Errorf("%d writes, want 1", got)
	}
}

func TestAggregationReachesRolesOfRoles(t *testing.T) {
	const clusterRoles engine.Resource = "clusterroles.rbac.authorization.k8s.io"
	w := newWorld(t, engine.Manual, func(e *engine.Engine, f *fakeAPI) []engine.Reconciler {
		return []engine.Reconciler{must[*clusterroleaggregation.Reconciler](t)(clusterroleaggregation.New(engine.Host{View: e.View(), API: f}))}
	})
	aggregated := func(name, from string, labels map[string]string) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
				{MatchLabels: map[string]string{"to": from}},
			}},
		}
	}
	w.create(clusterRoles, aggregated("admin", "admin", nil))
	w.create(clusterRoles, aggregated("edit", "edit", map[string]string{"to": "admin"}))
	w.create(clusterRoles, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "pods", Labels: map[string]string{"to": "edit"}},
		Rules:      []rbacv1.PolicyRule{{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"pods"}}},
	})
	verbs := func() int {
		admin, _ := get[*rbacv1.ClusterRole](w.fakeAPI, clusterRoles, "", "admin")
		return len(admin.Rules)
	}
	if got := verbs(); got != 1 {
		t.Errorf("admin has %d rules, want the one of pods, by way of edit", got)
	}
	w.remove(clusterRoles, "", "pods", metav1.DeleteOptions{})
	if got := verbs(); got != 0 {
		t.Errorf("admin has %d rules after the role that gave them is gone, want none", got)
	}
}
