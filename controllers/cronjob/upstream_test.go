package cronjob

import (
	"flag"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

var (
	upstreamCases = flag.Int("upstream", 1000, "how many random CronJobs to hold against upstream's sync")
	upstreamSeed  = flag.Int("upstream-seed", 1, "the seed that they are made from; not 0")
)

// TestHeldAgainstUpstream compares what a step does with what upstream's own
// sync does, for random CronJobs with random Jobs, some of whose writes fail: the
// status, the Jobs created and deleted, the Events, and when to look again.
func TestHeldAgainstUpstream(t *testing.T) {
	o, _ := besideUpstream(t)
	o.Lay(t, "../upstreamcronjob/export.go", "testdata/upstream/export.go.txt")
	o.Lay(t, "zz_differential_test.go", "testdata/upstream/differential_test.go.txt")
	t.Log(overlay.Run(t, o.Build(t, "."), "-test.run", "^TestDifferential",
		"-rapid.checks", strconv.Itoa(*upstreamCases), "-rapid.seed", strconv.Itoa(*upstreamSeed), "-rapid.nofailfile"))
}

// upstreamTests are upstream's unit tests.
var upstreamTests = []string{
	"TestByJobStartTime", "TestControllerV2CleanupFinishedJobs", "TestControllerV2JobAlreadyExistsButDifferentOwner",
	"TestControllerV2JobAlreadyExistsButNotInActiveStatus", "TestControllerV2ProcessNextItemClearFailureRate",
	"TestControllerV2SyncCronJob", "TestControllerV2UpdateCronJob", "TestGetJobFromTemplate2", "TestMostRecentScheduleTime",
	"TestNextScheduleTime", "TestNextScheduleTimeDuration",
}

// TestUpstreamsTables runs upstream's own unit tests over our schedules, names
// and orders, which stand in for those of upstream's utils.go. Its sync, which
// those of the controller call, is held against ours above.
func TestUpstreamsTables(t *testing.T) {
	o, dir := besideUpstream(t)
	tests := o.LayPackage(t, dir, "../upstreamcronjob")
	if slices.Sort(tests); !slices.Equal(tests, upstreamTests) {
		t.Errorf("upstream has the tests %v, not %v: is this another release?", tests, upstreamTests)
	}
	o.Lay(t, "../upstreamcronjob/utils.go", "testdata/upstream/shim.go.txt")
	o.Lay(t, "tables.go", "testdata/upstream/tables.go.txt")
	out := overlay.Run(t, o.Build(t, "../upstreamcronjob"))
	passed := strings.Count(out, "--- PASS: ")
	if passed < 100 {
		t.Errorf("%d of upstream's cases ran, want at least 100", passed)
	}
	t.Logf("%d of upstream's cases pass", passed)
}

// besideUpstream lays upstream's package, which is in dir, beside ours.
func besideUpstream(t *testing.T) (o *overlay.Overlay, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it compiles upstream's controller and client-go's fakes")
	}
	dir = filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/cronjob")
	o = overlay.New(t)
	for _, source := range overlay.Sources(t, dir, false) {
		o.Lay(t, filepath.Join("../upstreamcronjob", filepath.Base(source)), source)
	}
	return o, dir
}
