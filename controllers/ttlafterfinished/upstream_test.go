package ttlafterfinished

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestUpstreamsTables runs upstream's own unit test over our expiry.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	o := overlay.New(t)
	from := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/ttlafterfinished")
	if tests := o.LayPackage(t, from, "../upstreamttl", "timeLeft"); !slices.Equal(tests, []string{"TestTimeLeft"}) {
		t.Errorf("upstream has the tests %v: is this another release?", tests)
	}
	o.Lay(t, "zz_export.go", "testdata/upstream/tables_export.go.txt")
	o.Lay(t, "../upstreamttl/tables.go", "testdata/upstream/tables.go.txt")
	overlay.Run(t, o.Build(t, "../upstreamttl"))
}
