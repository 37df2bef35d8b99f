package pvcprotection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReleases(t *testing.T) {
	claim := func(deleting bool, finalizers ...string) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Finalizers: finalizers}}
		if deleting {
			c.DeletionTimestamp = &metav1.Time{}
		}
		return c
	}
	on := func(node string, phase corev1.PodPhase) []*corev1.Pod {
		return []*corev1.Pod{{Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: phase}}}
	}
	for name, tc := range map[string]struct {
		claim *corev1.PersistentVolumeClaim
		pods  []*corev1.Pod
		want  bool
	}{
		"one that nobody uses":          {claim(true, finalizer), nil, true},
		"not before it is deleted":      {claim(false, finalizer), nil, false},
		"nothing to release":            {claim(true, "example.com/other"), nil, false},
		"a Pod that runs keeps it":      {claim(true, finalizer), on("n", corev1.PodRunning), false},
		"a Pod that has ended too":      {claim(true, finalizer), on("n", corev1.PodSucceeded), false},
		"a Pod without a Node does not": {claim(true, finalizer), on("", corev1.PodPending), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := releases(tc.claim, tc.pods); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
