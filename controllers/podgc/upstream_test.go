package podgc

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestUpstreamsTables runs upstream's own unit tests over our decisions and our
// writes.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	want := []string{
		"TestGCInspectingPatchedPodBeforeDeletion", "TestGCOrphaned", "TestGCTerminated", "TestGCTerminating", "TestGCUnscheduledTerminating",
	}
	o := overlay.New(t)
	// The kubelet's package brings modules along that kubesim has not.
	o.Redirect("k8s.io/kubernetes/pkg/kubelet/eviction", "github.com/kubesim-dev/kubesim/controllers/upstreameviction")
	o.Lay(t, "../upstreameviction/eviction.go", "testdata/upstream/eviction.go.txt")
	from := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/podgc")
	tests := o.LayPackage(t, from, "../upstreampodgc", "gcTerminated", "gcTerminating", "gcOrphaned", "gcUnscheduledTerminating")
	if slices.Sort(tests); !slices.Equal(tests, want) {
		t.Errorf("upstream has the tests %v, not %v: is this another release?", tests, want)
	}
	o.Lay(t, "zz_export.go", "testdata/upstream/tables_export.go.txt")
	o.Lay(t, "../upstreampodgc/tables.go", "testdata/upstream/tables.go.txt")
	overlay.Run(t, o.Build(t, "../upstreampodgc"))
}
