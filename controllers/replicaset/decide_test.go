package replicaset

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func asks(replicas int32, edits ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
	labels := map[string]string{"app": "web"}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Generation: 3},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "tier": "front"}}},
		},
	}
	for _, edit := range edits {
		edit(rs)
	}
	return rs
}

func minReady(seconds int32) func(*appsv1.ReplicaSet) {
	return func(rs *appsv1.ReplicaSet) { rs.Spec.MinReadySeconds = seconds }
}

func leaving(rs *appsv1.ReplicaSet) { rs.DeletionTimestamp = &metav1.Time{Time: noon()} }

func failed(reason string) func(*appsv1.ReplicaSet) {
	return func(rs *appsv1.ReplicaSet) {
		rs.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Reason: reason}}
	}
}

// aPod runs on node-1.
func aPod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: "node-1"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func on(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }

func labelled(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[key] = value }
}

func pending(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }

func ready(ago time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon().Add(-ago)),
		}}
	}
}

func costs(n string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: n} }
}

func TestDecide(t *testing.T) {
	type gist struct {
		Create int
		Delete []string
		Wake   time.Duration
	}
	for name, tc := range map[string]struct {
		rs         *appsv1.ReplicaSet
		pods       []*corev1.Pod
		neighbours map[string]int
		want       gist
	}{
		"Pods that are missing are created":             {asks(3), []*corev1.Pod{aPod("a")}, nil, gist{Create: 2}},
		"so many at a time":                             {asks(1000), nil, nil, gist{Create: 500}},
		"as many as are asked for is enough":            {asks(1), []*corev1.Pod{aPod("a")}, nil, gist{}},
		"one that is being deleted leaves Pods alone":   {asks(3, leaving), []*corev1.Pod{aPod("a")}, nil, gist{}},
		"a Pod that does not run yet goes first":        {asks(1), []*corev1.Pod{aPod("a"), aPod("b", pending)}, nil, gist{Delete: []string{"b"}}},
		"then one that is not ready":                    {asks(1), []*corev1.Pod{aPod("a", ready(time.Hour)), aPod("b")}, nil, gist{Delete: []string{"b"}}},
		"then the cheapest":                             {asks(1), []*corev1.Pod{aPod("a", ready(0), costs("2")), aPod("b", ready(0), costs("1"))}, nil, gist{Delete: []string{"b"}}},
		"then one that has others beside it":            {asks(1), []*corev1.Pod{aPod("a", ready(0)), aPod("b", ready(0), on("node-2"))}, map[string]int{"node-1": 1, "node-2": 2}, gist{Delete: []string{"b"}}},
		"a Pod is available after minReadySeconds":      {asks(1, minReady(10)), []*corev1.Pod{aPod("a", ready(4*time.Second))}, nil, gist{Wake: 6 * time.Second}},
		"the soonest of them counts":                    {asks(2, minReady(10)), []*corev1.Pod{aPod("a", ready(0)), aPod("b", ready(3*time.Second))}, nil, gist{Wake: 7 * time.Second}},
		"one that is available already is not awaited":  {asks(1, minReady(10)), []*corev1.Pod{aPod("a", ready(10*time.Second))}, nil, gist{}},
		"one that is not ready is not awaited":          {asks(1, minReady(10)), []*corev1.Pod{aPod("a")}, nil, gist{}},
		"without minReadySeconds nothing is awaited":    {asks(1), []*corev1.Pod{aPod("a", ready(0))}, nil, gist{}},
		"none asked for, all go: the cheapest at first": {asks(0), []*corev1.Pod{aPod("a", ready(0)), aPod("b", pending)}, nil, gist{Delete: []string{"b", "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := decide(tc.rs, tc.pods, tc.neighbours, noon())
			got := gist{Create: p.Create}
			for _, pod := range p.Delete {
				got.Delete = append(got.Delete, pod.Name)
			}
			if !p.WakeAt.IsZero() {
				got.Wake = p.WakeAt.Sub(noon())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	type gist struct {
		Replicas, Labelled, Ready, Available int32
		Failure                              string
	}
	quota := errors.New("exceeded quota")
	for name, tc := range map[string]struct {
		rs     *appsv1.ReplicaSet
		pods   []*corev1.Pod
		missed error
		want   gist
	}{
		"Pods are counted by what they are": {
			asks(3, minReady(10)), []*corev1.Pod{aPod("a"), aPod("b", ready(5*time.Second), labelled("tier", "front")), aPod("c", ready(time.Minute))}, nil,
			gist{3, 1, 2, 1, ""},
		},
		"a Pod that could not be created":        {asks(1), nil, quota, gist{Failure: "FailedCreate exceeded quota"}},
		"a Pod that could not be deleted":        {asks(0), []*corev1.Pod{aPod("a")}, quota, gist{1, 0, 0, 0, "FailedDelete exceeded quota"}},
		"a failure stays as it was first told":   {asks(1, failed("FailedDelete")), nil, quota, gist{Failure: "FailedDelete "}},
		"what works again is a failure no more":  {asks(1, failed("FailedCreate")), nil, nil, gist{}},
		"without a failure there is no such one": {asks(1), nil, nil, gist{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := status(tc.rs, tc.pods, tc.missed, noon())
			got := gist{s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas, ""}
			for _, c := range s.Conditions {
				got.Failure += c.Reason + " " + c.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			if s.ObservedGeneration != tc.rs.Generation {
				t.Errorf("observedGeneration %d, want %d", s.ObservedGeneration, tc.rs.Generation)
			}
		})
	}
}
