package serviceaccount

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		phase  corev1.NamespacePhase
		exists bool
		want   plan
	}{
		"a new Namespace gets its ServiceAccount":     {corev1.NamespaceActive, false, plan{Create: "default"}},
		"one that is there is left alone":             {corev1.NamespaceActive, true, plan{}},
		"a Namespace that is being deleted gets none": {corev1.NamespaceTerminating, false, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := &corev1.Namespace{Status: corev1.NamespaceStatus{Phase: tc.phase}}
			if diff := cmp.Diff(tc.want, decide(ns, tc.exists)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
