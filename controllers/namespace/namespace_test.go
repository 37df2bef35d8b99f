package namespace

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// writes is an API that nothing is written to.
type writes struct{ engine.API }

// Whoever else runs: without this, a Namespace goes before what a finalizer keeps in it.
func TestItKnowsWhatANamespaceHolds(t *testing.T) {
	e, err := engine.New(engine.Config{Mode: engine.Manual, Speed: 1, Start: noon()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(engine.Host{View: e.View(), API: writes{}}); err != nil {
		t.Fatal(err)
	}
	e.Serve(engine.Served{Name: engine.ConfigMaps, GVK: corev1.SchemeGroupVersion.WithKind("ConfigMap"), Namespaced: true})
	e.Serve(engine.Served{Name: engine.Nodes, GVK: corev1.SchemeGroupVersion.WithKind("Node")})
	e.Serve(engine.Served{Name: engine.Events, GVK: corev1.SchemeGroupVersion.WithKind("Event"), Namespaced: true})
	for r, want := range map[engine.Resource]bool{engine.ConfigMaps: true, engine.Nodes: false, engine.Events: false} {
		if got := e.View().Tracks(r); got != want {
			t.Errorf("the View holds %s: %t, want %t", r, got, want)
		}
	}
}
