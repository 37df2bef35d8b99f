package disruption

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon().Add(-d)) }

func budget(edits ...func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b", Generation: 1}}
	pdb.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	for _, edit := range edits {
		edit(pdb)
	}
	return pdb
}

func minAvailable(v string) func(*policyv1.PodDisruptionBudget) {
	value := intstr.Parse(v)
	return func(pdb *policyv1.PodDisruptionBudget) { pdb.Spec.MinAvailable = &value }
}

func maxUnavailable(v string) func(*policyv1.PodDisruptionBudget) {
	value := intstr.Parse(v)
	return func(pdb *policyv1.PodDisruptionBudget) { pdb.Spec.MaxUnavailable = &value }
}

func evicted(pod string, at metav1.Time) func(*policyv1.PodDisruptionBudget) {
	return func(pdb *policyv1.PodDisruptionBudget) { pdb.Status.DisruptedPods = map[string]metav1.Time{pod: at} }
}

func pod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func ready(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

func created(at metav1.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.CreationTimestamp = at }
}

func leaving(p *corev1.Pod) { at := ago(0); p.DeletionTimestamp = &at }

func of(apiVersion, kind string) func(*corev1.Pod) {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "owner", Controller: &yes}}
	}
}

func replica(rc types.UID) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		of("v1", "ReplicationController")(p)
		p.OwnerReferences[0].UID = rc
	}
}

func target(reason string, since metav1.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: since,
		})
	}
}

// status is what a plan writes, as one line a reader can check by hand.
type status struct {
	Expected, Desired, Healthy, Allowed int32
	Reason, Message                     string
}

func statusOf(p plan) status {
	if p.Status == nil {
		return status{}
	}
	c := p.Status.Conditions[0]
	return status{p.Status.ExpectedPods, p.Status.DesiredHealthy, p.Status.CurrentHealthy, p.Status.DisruptionsAllowed, c.Reason, c.Message}
}

// The rows follow upstream's disruption_test.go v1.37.2, where it has them.
func TestDecide(t *testing.T) {
	by := controllers{
		Kinds: func(gvk schema.GroupVersionKind) (engine.Resource, bool) {
			r, ok := map[schema.GroupVersionKind]engine.Resource{
				batchv1.SchemeGroupVersion.WithKind("Job"):                  engine.Jobs,
				corev1.SchemeGroupVersion.WithKind("ReplicationController"): engine.ReplicationControllers,
				appsv1.SchemeGroupVersion.WithKind("StatefulSet"):           engine.StatefulSets,
			}[gvk]
			return r, ok
		},
		Scales: map[types.UID]scale{"four": {"four", 4}, "two": {"two", 2}, "old": {"web", 3}, "new": {"web", 3}},
	}
	for name, tc := range map[string]struct {
		pdb    *policyv1.PodDisruptionBudget
		pods   []*corev1.Pod
		want   status
		events []string
	}{
		"a budget without Pods allows nothing": {
			budget(minAvailable("1")), nil, status{0, 1, 0, 0, "InsufficientPods", ""}, []string{"NoPods"},
		},
		"healthy Pods above the minimum may go": {
			budget(minAvailable("1")), []*corev1.Pod{pod("a", ready), pod("b", ready), pod("c")}, status{3, 1, 2, 1, "SufficientPods", ""}, nil,
		},
		"a Pod that is deleted is not healthy": {
			budget(minAvailable("1")), []*corev1.Pod{pod("a", ready), pod("b", ready, leaving)}, status{2, 1, 1, 0, "InsufficientPods", ""}, nil,
		},
		"nor is one that was evicted": {
			budget(minAvailable("0"), evicted("a", ago(time.Minute))), []*corev1.Pod{pod("a", ready), pod("b", ready)}, status{2, 0, 1, 1, "SufficientPods", ""}, nil,
		},
		"but its successor of the same name is": {
			budget(minAvailable("0"), evicted("a", ago(time.Minute))), []*corev1.Pod{pod("a", ready, created(ago(time.Minute))), pod("b", ready)},
			status{2, 0, 2, 2, "SufficientPods", ""}, nil,
		},
		"and one that was not deleted in time": {
			budget(minAvailable("0"), evicted("a", ago(2*time.Minute))), []*corev1.Pod{pod("a", ready), pod("b", ready)},
			status{2, 0, 2, 2, "SufficientPods", ""}, []string{"NotDeleted"},
		},
		"a number for Pods of a Job": {
			budget(minAvailable("1")), []*corev1.Pod{pod("a", ready, of("batch/v1", "Job")), pod("b", ready, of("batch/v1", "Job"))},
			status{2, 1, 2, 1, "SufficientPods", ""}, nil,
		},
		"a share of Pods of a Job cannot be told": {
			budget(minAvailable("50%")), []*corev1.Pod{pod("a", ready, of("batch/v1", "Job"))},
			status{0, 0, 0, 0, "SyncFailed", "jobs.batch does not implement the scale subresource"}, []string{"CalculateExpectedPodCountFailed"},
		},
		"nor how many may be unavailable": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready, of("batch/v1", "Job"))},
			status{0, 0, 0, 0, "SyncFailed", "jobs.batch does not implement the scale subresource"}, []string{"CalculateExpectedPodCountFailed"},
		},
		"a share of what a ReplicationController asks for": {
			budget(minAvailable("50%")), []*corev1.Pod{pod("a", ready, replica("four")), pod("b", ready, replica("four"))},
			status{4, 2, 2, 0, "InsufficientPods", ""}, nil,
		},
		"what two of them ask for, less what may be unavailable": {
			budget(maxUnavailable("5")), []*corev1.Pod{pod("a", ready, replica("four")), pod("b", ready, replica("two"))},
			status{6, 1, 2, 1, "SufficientPods", ""}, nil,
		},
		"two ReplicaSets of one Deployment": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready, replica("old")), pod("b", ready, replica("new")), pod("c", ready, replica("new"))},
			status{3, 2, 3, 1, "SufficientPods", ""}, nil,
		},
		"a ReplicationController that is gone": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready, replica("none"))},
			status{0, 0, 0, 0, "SyncFailed", `found no controllers for pod "a"`}, []string{"CalculateExpectedPodCountFailed"},
		},
		"a StatefulSet that is gone": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready, of("apps/v1", "StatefulSet"))},
			status{0, 0, 0, 0, "SyncFailed", `found no controllers for pod "a"`}, []string{"CalculateExpectedPodCountFailed"},
		},
		"an owner that nobody knows": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready, of("example.com/v1", "Thing"))},
			status{0, 0, 0, 0, "SyncFailed", `no matches for kind "Thing" in version "example.com/v1"`}, []string{"CalculateExpectedPodCountFailed"},
		},
		"Pods without an owner have no scale": {
			budget(maxUnavailable("1")), []*corev1.Pod{pod("a", ready)}, status{0, 0, 1, 0, "InsufficientPods", ""}, []string{"UnmanagedPods"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(tc.pdb, tc.pods, by, noon())
			if diff := cmp.Diff(tc.want, statusOf(p)); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			var events []string
			for _, e := range p.Events {
				events = append(events, e.Reason)
			}
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Errorf("Events (-want +got):\n%s", diff)
			}
			if c := p.Status.Conditions[0]; !c.LastTransitionTime.Time.Equal(noon()) {
				t.Errorf("the condition changed at %s, want noon", c.LastTransitionTime)
			}
			tc.pdb.Status = *p.Status
			tc.pdb.Generation = p.Status.ObservedGeneration
			if again := decide(tc.pdb, tc.pods, by, noon().Add(time.Second)); again.Status != nil && len(tc.pdb.Status.DisruptedPods) == 0 {
				t.Errorf("a second look writes %+v", again.Status)
			}
		})
	}
}

func TestABudgetLooksAgainWhenAnEvictedPodShouldHaveGone(t *testing.T) {
	p := decide(budget(minAvailable("0"), evicted("a", ago(time.Minute))), []*corev1.Pod{pod("a", ready)}, controllers{}, noon())
	if want := noon().Add(time.Minute); !p.WakeAt.Equal(want) {
		t.Errorf("wakes at %s, want %s", p.WakeAt, want)
	}
}

func TestDecidePod(t *testing.T) {
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	two := []*policyv1.PodDisruptionBudget{budget(), budget()}
	for name, tc := range map[string]struct {
		pod     *corev1.Pod
		budgets []*policyv1.PodDisruptionBudget
		want    podPlan
	}{
		"a Pod that is no target":                   {pod("a"), nil, podPlan{}},
		"a fresh target is left to its deletion":    {pod("a", target("PreemptionByScheduler", ago(time.Minute))), nil, podPlan{WakeAt: noon().Add(time.Minute)}},
		"a stale one is no target any more":         {pod("a", target("PreemptionByScheduler", ago(2*time.Minute))), nil, podPlan{Reset: true}},
		"what the kubelet terminates is never":      {pod("a", target("TerminationByKubelet", ago(time.Hour))), nil, podPlan{}},
		"one that is being deleted is not stale":    {pod("a", leaving, target("EvictionByEvictionAPI", ago(time.Hour))), nil, podPlan{}},
		"nor is one that has finished":              {pod("a", failed, target("EvictionByEvictionAPI", ago(time.Hour))), nil, podPlan{}},
		"a Pod of two budgets is told which counts": {pod("a"), two, podPlan{Events: []event{{Type: "Warning", Reason: "MultiplePodDisruptionBudgets", Message: `Pod "default"/"a" matches multiple PodDisruptionBudgets.  Chose "b" arbitrarily.`}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decidePod(tc.pod, tc.budgets, noon())); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
