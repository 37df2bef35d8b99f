package job

import (
	"flag"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

var (
	upstreamCases = flag.Int("upstream", 500, "how many random Jobs to hold against upstream's syncJob")
	upstreamFrom  = flag.Int("upstream-from", 0, "the first seed")
)

// TestHeldAgainstUpstream compares what decide does in one step with what
// upstream's own syncJob does, for random Jobs with random Pods: the status,
// the Pods created, deleted and let go, and the Events.
func TestHeldAgainstUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles upstream's controller and client-go's fakes")
	}
	o := overlay.New(t)
	for _, source := range overlay.Sources(t, upstreamDir(t), false) {
		o.Lay(t, filepath.Join("../upstreamjob", filepath.Base(source)), source)
	}
	o.Lay(t, "../upstreamjob/export.go", "testdata/upstream/export.go.txt")
	o.Lay(t, "zz_differential_test.go", "testdata/upstream/differential_test.go.txt")
	t.Log(overlay.Run(t, o.Build(t, "."), "-test.run", "^TestDifferential$",
		"-upstream", strconv.Itoa(*upstreamCases), "-upstream-from", strconv.Itoa(*upstreamFrom)))
}

func upstreamDir(t *testing.T) string {
	return filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/job")
}
