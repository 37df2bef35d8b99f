package podstate

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"
)

func TestGrace(t *testing.T) {
	five, seven, forty := int64(5), int64(7), int64(40)
	c := &corev1.Container{LivenessProbe: &corev1.Probe{TerminationGracePeriodSeconds: &five}, StartupProbe: &corev1.Probe{}}
	own := &corev1.Pod{Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &forty}}
	deleted := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionGracePeriodSeconds: &seven}}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		why  KillReason
		want time.Duration
	}{
		"the Pod's own":                             {own, "", 40 * time.Second},
		"the liveness probe's":                      {own, LivenessFailed, 5 * time.Second},
		"a startup probe without one has the Pod's": {own, StartupFailed, 40 * time.Second},
		"the deletion's":                            {deleted, LivenessFailed, 7 * time.Second},
		"none":                                      {&corev1.Pod{}, "", graceLeast},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Grace(tc.pod, c, tc.why); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestGraceThatIsLeft(t *testing.T) {
	k := &Killing{Since: noon, Grace: 10 * time.Second}
	for name, tc := range map[string]struct{ after, want time.Duration }{
		"all of it":              {0, 10 * time.Second},
		"whole seconds count":    {3900 * time.Millisecond, 7 * time.Second},
		"two seconds, at least":  {9 * time.Second, graceLeast},
		"also when all is spent": {time.Minute, graceLeast},
	} {
		t.Run(name, func(t *testing.T) {
			if got := k.Left(noon.Add(tc.after)); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
