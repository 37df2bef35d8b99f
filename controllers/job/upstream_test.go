package job

import (
	"flag"
	"path/filepath"
	"strconv"
	"strings"
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

// TestUpstreamsTables runs upstream's own unit tables of the two policies over
// our helpers. Its other tables ask for its structs and its fakes; what they
// state, TestHeldAgainstUpstream covers.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	o := overlay.New(t)
	for _, name := range []string{"pod_failure_policy_test.go", "success_policy_test.go"} {
		o.Lay(t, filepath.Join("../upstreamtables", name), filepath.Join(upstreamDir(t), name))
	}
	o.Lay(t, "zz_export.go", "testdata/upstream/tables_export.go.txt")
	o.Lay(t, "../upstreamtables/shim.go", "testdata/upstream/tables_shim.go.txt")
	out := overlay.Run(t, o.Build(t, "../upstreamtables"))
	if n := strings.Count(out, "    --- PASS: "); n < 50 {
		t.Errorf("%d cases, want those of both tables:\n%s", n, out)
	}
}

func upstreamDir(t *testing.T) string {
	return filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/job")
}
