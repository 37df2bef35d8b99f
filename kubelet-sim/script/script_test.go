package script

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

func TestAttempts(t *testing.T) {
	text := func(s string) []v1alpha1.Step { return []v1alpha1.Step{{Log: &s}} }
	attempts := []v1alpha1.Attempt{{Steps: text("a")}, {Indexes: "3", Steps: text("own")}, {Steps: text("b")}}
	third := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"batch.kubernetes.io/job-completion-index": "3"}}}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		n    int
		want string
	}{
		"the first":                  {&corev1.Pod{}, 0, "a"},
		"the second":                 {&corev1.Pod{}, 1, "b"},
		"the last is repeated":       {&corev1.Pod{}, 9, "b"},
		"an index has its own alone": {third, 5, "own"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := *attempt(attempts, tc.pod, tc.n)[0].Log; got != tc.want {
				t.Errorf("attempt %d is %q, want %q", tc.n, got, tc.want)
			}
		})
	}
}

func TestKwokPlay(t *testing.T) {
	for name, tc := range map[string]struct {
		delay, jitter string
		want          time.Duration // -1: no play
	}{
		"none":                          {"", "", -1},
		"a delay":                       {"20s", "", 20 * time.Second},
		"a jitter that is shorter wins": {"20s", "5s", 5 * time.Second},
		"between the two":               {"20s", "30s", 20*time.Second + 7},
		"a jitter alone":                {"", "9s", time.Second + 7},
		"no duration":                   {"soon", "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{kwokDelay: tc.delay, kwokJitter: tc.jitter}}}
			got := time.Duration(-1)
			if p := KwokPlay(pod, "Job", 7); p != nil {
				got = duration(*p.Steps[0].Wait)
			}
			if got != tc.want {
				t.Errorf("waits %v, want %v", got, tc.want)
			}
			if KwokPlay(pod, "ReplicaSet", 7) != nil {
				t.Error("a Pod of no Job has a play")
			}
		})
	}
}
