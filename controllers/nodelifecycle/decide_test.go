package nodelifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon().Add(-d)) }

func node(name string, edits ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: ago(time.Hour)}}
	for _, edit := range edits {
		edit(n)
	}
	return n
}

// says adds a condition with a heartbeat and a change at an instant.
func says(t corev1.NodeConditionType, status corev1.ConditionStatus, at metav1.Time) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: t, Status: status, LastHeartbeatTime: at, LastTransitionTime: at})
	}
}

func ready(at metav1.Time) func(*corev1.Node) {
	return says(corev1.NodeReady, corev1.ConditionTrue, at)
}

func lost(at metav1.Time) func(*corev1.Node) {
	return says(corev1.NodeReady, corev1.ConditionUnknown, at)
}

func has(key string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect}) }
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func in(zone string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Labels = map[string]string{corev1.LabelTopologyZone: zone} }
}

func schedule(keys ...string) []*corev1.Taint {
	var out []*corev1.Taint
	for _, key := range keys {
		out = append(out, &corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
	}
	return out
}

func TestDecideNode(t *testing.T) {
	const noSchedule = corev1.TaintEffectNoSchedule
	vouched := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	next := noon().Add(50 * time.Second)
	for name, tc := range map[string]struct {
		node  *corev1.Node
		pods  []*corev1.Pod
		heard time.Time
		want  plan
	}{
		"a Node that was heard is looked at again": {node("a", ready(ago(0))), nil, noon().Add(-49 * time.Second), plan{CheckAt: noon().Add(time.Second)}},
		"one that is silent for 50 seconds":        {node("a", ready(ago(0))), nil, noon().Add(-50 * time.Second), plan{Silent: true}},
		"one that never spoke has a minute":        {node("a"), nil, noon().Add(-59 * time.Second), plan{CheckAt: noon().Add(time.Second)}},
		"and is silent after it":                   {node("a"), nil, noon().Add(-60 * time.Second), plan{Silent: true}},
		"the Pods of one that is unknown are not ready, and it takes no more": {
			node("a", lost(ago(0))), []*corev1.Pod{vouched, {}}, noon().Add(-time.Hour),
			plan{AddTaints: schedule(corev1.TaintNodeUnreachable), NotReady: []*corev1.Pod{vouched}},
		},
		"one that is not ready takes no more": {
			node("a", says(corev1.NodeReady, corev1.ConditionFalse, ago(0)), has(corev1.TaintNodeUnreachable, noSchedule)), nil, noon(),
			plan{CheckAt: next, AddTaints: schedule(corev1.TaintNodeNotReady), RemoveTaints: schedule(corev1.TaintNodeUnreachable)},
		},
		"pressure": {
			node("a", ready(ago(0)), says(corev1.NodeMemoryPressure, corev1.ConditionTrue, ago(0)), says(corev1.NodeDiskPressure, corev1.ConditionFalse, ago(0)),
				says(corev1.NodePIDPressure, corev1.ConditionTrue, ago(0)), has(corev1.TaintNodePIDPressure, noSchedule)), nil, noon(),
			plan{CheckAt: next, AddTaints: schedule(corev1.TaintNodeMemoryPressure)},
		},
		"a cordon":                        {node("a", ready(ago(0)), cordoned), nil, noon(), plan{CheckAt: next, AddTaints: schedule(corev1.TaintNodeUnschedulable)}},
		"the end of a cordon":             {node("a", ready(ago(0)), has(corev1.TaintNodeUnschedulable, noSchedule)), nil, noon(), plan{CheckAt: next, RemoveTaints: schedule(corev1.TaintNodeUnschedulable)}},
		"a taint of the user's own stays": {node("a", ready(ago(0)), has("mine", noSchedule)), nil, noon(), plan{CheckAt: next}},
		"so does one with another effect": {node("a", ready(ago(0)), has(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)), nil, noon(), plan{CheckAt: next}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideNode(tc.node, tc.pods, tc.heard, noon())); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeardIsTheLatestOfAllSigns(t *testing.T) {
	renewed := metav1.NewMicroTime(noon().Add(-30 * time.Second))
	lease := &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &renewed}}
	for name, tc := range map[string]struct {
		node  *corev1.Node
		lease *coordinationv1.Lease
		since time.Time
		want  time.Duration
	}{
		"its creation":           {node("a"), nil, time.Time{}, time.Hour},
		"its status":             {node("a", ready(ago(time.Minute))), nil, time.Time{}, time.Minute},
		"its Lease":              {node("a", ready(ago(time.Minute))), lease, time.Time{}, 30 * time.Second},
		"the end of an outage":   {node("a", ready(ago(time.Minute))), lease, noon(), 0},
		"a status after a Lease": {node("a", ready(ago(time.Second))), lease, time.Time{}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := noon().Sub(heard(tc.node, tc.lease, tc.since)); got != tc.want {
				t.Errorf("heard %s ago, want %s", got, tc.want)
			}
		})
	}
}

func TestUnknownLeavesTheNetworkAndWhatIsUnknownAlone(t *testing.T) {
	before := node("a", ready(ago(time.Minute)), says(corev1.NodeMemoryPressure, corev1.ConditionUnknown, ago(time.Minute)),
		says(corev1.NodeNetworkUnavailable, corev1.ConditionFalse, ago(time.Minute)))
	var got []string
	for _, c := range unknown(before, noon()).Status.Conditions {
		got = append(got, string(c.Type)+"="+string(c.Status)+" "+c.Reason+" "+c.LastTransitionTime.Format(time.TimeOnly)+" "+c.LastHeartbeatTime.Format(time.TimeOnly))
	}
	want := []string{
		"Ready=Unknown NodeStatusUnknown 12:00:00 11:59:00",
		"MemoryPressure=Unknown  11:59:00 11:59:00",
		"NetworkUnavailable=False  11:59:00 11:59:00",
		"DiskPressure=Unknown NodeStatusNeverUpdated 12:00:00 11:00:00",
		"PIDPressure=Unknown NodeStatusNeverUpdated 12:00:00 11:00:00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}
