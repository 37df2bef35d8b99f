package cronjob

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var (
	upstreamCases = flag.Int("upstream", 1000, "how many random CronJobs to hold against upstream's sync")
	upstreamSeed  = flag.Int("upstream-seed", 1, "the seed that they are made from; not 0")
)

// TestHeldAgainstUpstream compares what a step does with what upstream's own
// sync does, for random CronJobs with random Jobs, some of whose writes fail: the
// status, the Jobs created and deleted, the Events, and when to look again.
//
// Upstream's package comes out of the module cache and is laid beside ours for
// the compiler only (go test -overlay): nothing of it is ever written here.
func TestHeldAgainstUpstream(t *testing.T) {
	t.Log(beside(t, "^TestDifferential", ".", map[string]string{
		"../upstreamcronjob/export.go": "testdata/upstream/export.go.txt",
		"zz_differential_test.go":      "testdata/upstream/differential_test.go.txt",
	}, "-rapid.checks", strconv.Itoa(*upstreamCases), "-rapid.seed", strconv.Itoa(*upstreamSeed), "-rapid.nofailfile"))
}

// TestUpstreamsTables runs upstream's own unit tests over our schedules, names
// and orders, which stand in for those of upstream's utils.go.
func TestUpstreamsTables(t *testing.T) {
	out := beside(t, "^Test", "../upstreamcronjob", map[string]string{
		"../upstreamcronjob/utils_test.go":                upstreamFile(t, "utils_test.go"),
		"../upstreamcronjob/cronjob_controllerv2_test.go": upstreamFile(t, "cronjob_controllerv2_test.go"),
		"../upstreamcronjob/utils.go":                     "testdata/upstream/shim.go.txt",
		"tables.go":                                       "testdata/upstream/tables.go.txt",
	})
	passed := strings.Count(out, "--- PASS: ")
	if passed < 100 {
		t.Errorf("%d of upstream's cases ran, want at least 100", passed)
	}
	t.Logf("%d of upstream's cases pass", passed)
}

// beside runs tests over a tree in which upstream's package stands beside ours,
// with the files of overlay on top.
func beside(t *testing.T, run, pkg string, overlay map[string]string, flags ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it compiles upstream's controller and client-go's fakes")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(upstreamFile(t, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, source := range sources {
		if !strings.HasSuffix(source, "_test.go") {
			replace[filepath.Join(dir, "../upstreamcronjob", filepath.Base(source))] = source
		}
	}
	for at, source := range overlay {
		if !filepath.IsAbs(source) {
			source = filepath.Join(dir, source)
		}
		replace[filepath.Join(dir, at)] = source
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	// Built first: `go test` would want to run in the folder that is not there.
	binary := filepath.Join(t.TempDir(), "upstream.test")
	if out, err := exec.Command("go", "test", "-vet=off", "-c", "-o", binary, "-overlay", file, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, append([]string{"-test.run", run, "-test.v"}, flags...)...)
	// Upstream reads a schedule without a time zone in that of the machine.
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// upstreamFile is the path of a file of upstream's package in the module cache.
func upstreamFile(t *testing.T, name string) string {
	t.Helper()
	k8s, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(k8s)), "pkg/controller/cronjob", name)
}
