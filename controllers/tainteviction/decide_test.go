package tainteviction

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func noon() time.Time { return time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC) }

func taint(keys ...string) []corev1.Taint {
	var out []corev1.Taint
	for _, key := range keys {
		out = append(out, corev1.Taint{Key: key, Value: "v", Effect: corev1.TaintEffectNoExecute})
	}
	return out
}

// forever tolerates key without end, within for some seconds.
func forever(key string) corev1.Toleration {
	return corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: "v", Effect: corev1.TaintEffectNoExecute}
}

func within(key string, seconds int64) corev1.Toleration {
	t := forever(key)
	t.TolerationSeconds = &seconds
	return t
}

func pod(tolerations ...corev1.Toleration) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1", Tolerations: tolerations}}
}

func going(p *corev1.Pod, reason string) *corev1.Pod {
	at := metav1.NewTime(noon())
	p.DeletionTimestamp = &at
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason}}
	return p
}

func since(created, fire time.Duration) *eviction {
	return &eviction{CreatedAt: noon().Add(created), FireAt: noon().Add(fire)}
}

// The rows follow upstream's taint_eviction_test.go v1.37.2.
func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		pod       *corev1.Pod
		taints    []corev1.Taint
		scheduled *eviction
		want      plan
	}{
		"a Node without taints":                          {pod(), nil, nil, plan{}},
		"a taint that is not tolerated":                  {pod(), taint("a"), nil, plan{Delete: true}},
		"a taint that is tolerated for a while":          {pod(within("a", 100)), taint("a"), nil, plan{Schedule: since(0, 100*time.Second)}},
		"a taint that is tolerated for ever":             {pod(forever("a")), taint("a"), nil, plan{}},
		"one that is tolerated for less than no time":    {pod(within("a", -1)), taint("a"), nil, plan{Delete: true}},
		"only one of two is tolerated":                   {pod(within("a", 100)), taint("a", "b"), nil, plan{Delete: true}},
		"the first toleration that runs out counts":      {pod(within("a", 100), within("b", 10), forever("c")), taint("a", "b", "c"), nil, plan{Schedule: since(0, 10*time.Second)}},
		"a toleration that is not needed does not":       {pod(within("a", 100), within("b", 10)), taint("a"), nil, plan{Schedule: since(0, 100*time.Second)}},
		"an eviction happens":                            {pod(within("a", 100)), taint("a"), since(-100*time.Second, 0), plan{Delete: true}},
		"a taint that is taken away cancels it":          {pod(within("a", 100)), nil, since(-time.Second, time.Minute), plan{Cancel: true}},
		"a toleration without end cancels it":            {pod(forever("a")), taint("a"), since(-time.Second, time.Minute), plan{Cancel: true}},
		"a toleration that is taken away hastens it":     {pod(), taint("a"), since(-time.Second, time.Minute), plan{Cancel: true, Delete: true}},
		"a longer toleration does not put it off":        {pod(within("a", 1000)), taint("a"), since(-time.Second, time.Minute), plan{Schedule: since(-time.Second, time.Minute)}},
		"a shorter toleration does not bring it forward": {pod(within("a", 10)), taint("a"), since(-time.Second, time.Minute), plan{Schedule: since(-time.Second, time.Minute)}},
		"a Pod that goes already is left alone":          {going(pod(), "DeletionByTaintManager"), taint("a"), nil, plan{}},
		"one that goes for another reason is not":        {going(pod(), "EvictionByEvictionAPI"), taint("a"), nil, plan{Delete: true}},
		"but what changes in the same instant counts":    {pod(within("a", 10)), taint("a"), since(0, time.Minute), plan{Cancel: true, Schedule: since(0, 10*time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.pod, tc.taints, tc.scheduled, noon())); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConditionThatIsThereIsNotWrittenAgain(t *testing.T) {
	first, changed := targeted(pod(), noon())
	if !changed {
		t.Fatal("the condition is not new")
	}
	first.Generation++
	again, changed := targeted(first, noon().Add(time.Hour))
	if changed {
		t.Error("the condition is new a second time")
	}
	if diff := cmp.Diff([]metav1.Time{metav1.NewTime(noon())}, []metav1.Time{again.Status.Conditions[0].LastTransitionTime}); diff != "" {
		t.Errorf("its instant (-want +got):\n%s", diff)
	}
}
