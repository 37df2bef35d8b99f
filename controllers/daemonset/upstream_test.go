package daemonset

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// upstreamTests is how many unit tests upstream's package has. A new release changes it.
const upstreamTests = 78

const (
	handlers = "its informers' handlers and its queues; the engine has other ones, see Observe and the script daemonset"
	leaves   = "a function of upstream's by itself, which ours calls or does not have"
	stale    = "a cache that is older than the API; the View is not"
)

// upstreamTestsNotRun lists those that are not about a step.
var upstreamTestsNotRun = map[string]string{
	"TestAddNode":                          handlers,
	"TestAddPod":                           handlers,
	"TestAddPodOrphan":                     handlers,
	"TestDeleteFinalStateUnknown":          handlers,
	"TestDeleteNoDaemonPod":                handlers,
	"TestDeletePod":                        handlers,
	"TestDeletePodOrphan":                  handlers,
	"TestShouldIgnoreNodeUpdate":           handlers,
	"TestUpdateNode":                       handlers,
	"TestUpdatePod":                        handlers,
	"TestUpdatePodChangeControllerRef":     handlers,
	"TestUpdatePodControllerRefRemoved":    handlers,
	"TestUpdatePodOrphanSameLabels":        handlers,
	"TestUpdatePodOrphanWithNewLabels":     handlers,
	"TestControlledHistories":              leaves,
	"TestGetNodesToDaemonPods":             leaves,
	"TestGetUnavailableNumbers":            leaves,
	"TestNodeShouldRunDaemonPod":           leaves,
	"TestStoreDaemonSetStatus":             leaves,
	"TestDontDoAnythingIfBeingDeletedRace": stale,
	"TestExpectationsOnRecreate":           "its expectations; there are none here, the engine reads its own writes",
	"TestDaemonKillFailedPodsBackoff":      "asks upstream's own back-off object; TestDecide has the same cases",
}

// TestUpstreamsTables runs upstream's own unit tests. Its package comes out of the module
// cache; its syncDaemonSet is renamed, and ours takes the name: the test's fakes, clocks and
// tables stay what they are.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	o := overlay.New(t)
	all := o.LayPackage(t, filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "pkg/controller/daemon"), "../upstreamdaemon", "syncDaemonSet")
	o.Lay(t, "../upstreamdaemon/sync.go", "testdata/upstream/sync.go.txt")
	if len(all) != upstreamTests {
		t.Errorf("upstream has %d tests, not %d: is this another release?", len(all), upstreamTests)
	}
	for _, name := range slices.Sorted(maps.Keys(upstreamTestsNotRun)) {
		if !slices.Contains(all, name) {
			t.Errorf("upstream has no test %s: take it from upstreamTestsNotRun", name)
		}
	}
	run := slices.DeleteFunc(all, func(name string) bool { return upstreamTestsNotRun[name] != "" })
	out, err := exec.CommandContext(t.Context(), o.Build(t, "../upstreamdaemon"), "-test.v", "-test.run", "^("+strings.Join(run, "|")+")$").CombinedOutput()
	passed := len(regexp.MustCompile(`(?m)^--- PASS: `).FindAll(out, -1))
	if err != nil || passed != len(run) {
		t.Errorf("%d of %d tests pass: %v\n%s", passed, len(run), err, out)
	}
	t.Logf("%d of upstream's %d tests pass; the others are not about a step", passed, upstreamTests)
}
