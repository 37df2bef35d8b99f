package cluster

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// TestNothingIsWrittenWithoutTheLease calls every write of an API that would
// panic if it were reached.
func TestNothingIsWrittenWithoutTheLease(t *testing.T) {
	api := leasedAPI{held: func() bool { return false }}
	ctx, who, pod := t.Context(), engine.Identity{}, &corev1.Pod{}
	for name, write := range map[string]func() error{
		"create":            func() error { _, err := api.Create(ctx, who, engine.Pods, pod); return err },
		"update":            func() error { _, err := api.Update(ctx, who, engine.Pods, "", pod); return err },
		"delete":            func() error { return api.Delete(ctx, who, engine.Pods, types.NamespacedName{}, metav1.DeleteOptions{}) },
		"delete collection": func() error { return api.DeleteCollection(ctx, who, engine.Pods, "", metav1.DeleteOptions{}) },
		"bind":              func() error { return api.Bind(ctx, who, &corev1.Binding{}) },
	} {
		if err := write(); !errors.Is(err, errNotHeld) {
			t.Errorf("%s gives %v, want %v", name, err, errNotHeld)
		}
	}
}
