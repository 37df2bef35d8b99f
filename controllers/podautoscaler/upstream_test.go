package podautoscaler

import (
	"flag"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

var (
	upstreamCases = flag.Int("upstream", 2000, "how many random autoscalers to hold against upstream's reconcileAutoscaler")
	upstreamFrom  = flag.Int("upstream-from", 0, "the first seed")
)

// TestHeldAgainstUpstream compares what a look decides with what upstream's own
// reconcileAutoscaler does, for random autoscalers, Pods, metrics and histories: the
// status, the Events, the number of replicas, and what is remembered.
func TestHeldAgainstUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles upstream's controller")
	}
	o := overlay.New(t)
	dir := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/podautoscaler")
	for _, source := range overlay.Sources(t, dir, false) {
		o.Lay(t, filepath.Join("../upstreampodautoscaler", filepath.Base(source)), source)
	}
	o.Lay(t, "../upstreampodautoscaler/export.go", "testdata/upstream/export.go.txt")
	o.Lay(t, "zz_differential_test.go", "testdata/upstream/differential_test.go.txt")
	t.Log(overlay.Run(t, o.Build(t, "."), "-test.run", "^TestDifferential$",
		"-upstream", strconv.Itoa(*upstreamCases), "-upstream-from", strconv.Itoa(*upstreamFrom)))
}
