package podgc

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func pod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func deleted(grace int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		at := metav1.NewTime(noon().Add(time.Duration(grace) * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
	}
}

func on(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }

func ended(phase corev1.PodPhase, reason string, minute int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Reason = phase, reason
		p.CreationTimestamp = metav1.NewTime(noon().Add(time.Duration(minute) * time.Minute))
	}
}

func node(ready corev1.ConditionStatus, taint string) *corev1.Node {
	return &corev1.Node{
		Spec:   corev1.NodeSpec{Taints: []corev1.Taint{{Key: taint}}},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

func TestDecideNode(t *testing.T) {
	pods := []*corev1.Pod{pod("a"), pod("b", deleted(30))}
	for name, tc := range map[string]struct {
		node  *corev1.Node
		since time.Time
		want  plan
	}{
		"a Node that is there keeps its Pods":                 {node(corev1.ConditionTrue, "any"), time.Time{}, plan{}},
		"a Node that is missing is in quarantine first":       {nil, noon().Add(-10 * time.Second), plan{WakeAt: noon().Add(30 * time.Second)}},
		"then its Pods are orphans":                           {nil, noon().Add(-40 * time.Second), plan{Delete: pods, Reason: "orphaned"}},
		"a Node out of service loses the Pods that are to go": {node(corev1.ConditionUnknown, corev1.TaintNodeOutOfService), time.Time{}, plan{Delete: pods[1:], Reason: "out-of-service"}},
		"a Node that is ready is not out of service":          {node(corev1.ConditionTrue, corev1.TaintNodeOutOfService), time.Time{}, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideNode(tc.node, pods, tc.since.Add(QuarantineDefault), noon())); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideUnscheduled(t *testing.T) {
	gone := pod("a", deleted(0))
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		now  time.Time
		want plan
	}{
		"a Pod that stays":                          {pod("a"), noon(), plan{}},
		"a Pod with a Node has a kubelet":           {pod("a", deleted(0), on("n")), noon(), plan{}},
		"one without is left to others for a while": {gone, noon(), plan{WakeAt: noon().Add(PeriodDefault)}},
		"and then deleted":                          {gone, noon().Add(PeriodDefault), plan{Delete: []*corev1.Pod{gone}, Reason: "unscheduled"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideUnscheduled(tc.pod, PeriodDefault, tc.now)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideTerminatedTakesEvictedOnesAndThenTheOldest(t *testing.T) {
	pods := []*corev1.Pod{
		pod("old", ended(corev1.PodSucceeded, "", 1)), pod("new", ended(corev1.PodFailed, "", 3)), pod("running", ended(corev1.PodRunning, "", 0)),
		pod("evicted", ended(corev1.PodFailed, "Evicted", 4)), pod("middle", ended(corev1.PodSucceeded, "", 2)),
	}
	var got []string
	for _, p := range decideTerminated(pods, 2).Delete {
		got = append(got, p.Name)
	}
	if diff := cmp.Diff([]string{"evicted", "old"}, got); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
}

func TestATargetThatIsOneAlreadyChangesItsReasonNotItsInstant(t *testing.T) {
	before := metav1.NewTime(noon().Add(-time.Hour))
	target := pod("a", func(p *corev1.Pod) {
		p.Generation = 1
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByTaintManager", LastTransitionTime: before}}
	})
	want := []corev1.PodCondition{{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists",
		LastTransitionTime: before, ObservedGeneration: 1,
	}}
	if diff := cmp.Diff(want, failed(target, true, noon()).Status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}
