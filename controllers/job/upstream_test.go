package job

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
	upstreamCases = flag.Int("upstream", 500, "how many random Jobs to hold against upstream's syncJob")
	upstreamFrom  = flag.Int("upstream-from", 0, "the first seed")
)

// TestHeldAgainstUpstream compares what decide does in one step with what
// upstream's own syncJob does, for random Jobs with random Pods: the status,
// the Pods created, deleted and let go, and the Events.
//
// Upstream's package comes out of the module cache and is laid over ours for
// the compiler only (go test -overlay): nothing of it is ever written here.
func TestHeldAgainstUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles upstream's controller and client-go's fakes")
	}
	dir, sources := upstreamSources(t)
	beside := filepath.Join(filepath.Dir(dir), "upstreamjob")
	replace := map[string]string{
		filepath.Join(beside, "export.go"):            filepath.Join(dir, "testdata/upstream/export.go.txt"),
		filepath.Join(dir, "zz_differential_test.go"): filepath.Join(dir, "testdata/upstream/differential_test.go.txt"),
	}
	for _, source := range sources {
		if !strings.HasSuffix(source, "_test.go") {
			replace[filepath.Join(beside, filepath.Base(source))] = source
		}
	}
	testWithOverlay(t, replace, ".", "-test.run", "^TestDifferential$",
		"-upstream", strconv.Itoa(*upstreamCases), "-upstream-from", strconv.Itoa(*upstreamFrom))
}

// TestUpstreamsTables runs upstream's own unit tables of the two policies over
// our helpers. Its other tables ask for its structs and its fakes; what they
// state, TestHeldAgainstUpstream covers.
func TestUpstreamsTables(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles another test binary")
	}
	dir, sources := upstreamSources(t)
	beside := filepath.Join(filepath.Dir(dir), "upstreamtables")
	replace := map[string]string{
		filepath.Join(dir, "zz_export.go"): filepath.Join(dir, "testdata/upstream/tables_export.go.txt"),
		filepath.Join(beside, "shim.go"):   filepath.Join(dir, "testdata/upstream/tables_shim.go.txt"),
	}
	for _, source := range sources {
		if name := filepath.Base(source); name == "pod_failure_policy_test.go" || name == "success_policy_test.go" {
			replace[filepath.Join(beside, name)] = source
		}
	}
	out := testWithOverlay(t, replace, "../upstreamtables")
	if n := strings.Count(out, "    --- PASS: "); n < 50 {
		t.Errorf("%d cases, want those of both tables:\n%s", n, out)
	}
}

// upstreamSources returns this folder and the files of upstream's package.
func upstreamSources(t *testing.T) (dir string, sources []string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	k8s, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	sources, err = filepath.Glob(filepath.Join(strings.TrimSpace(string(k8s)), "pkg/controller/job/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, sources
}

// testWithOverlay runs the tests of pkg with files in place of others, and
// returns what they print.
func testWithOverlay(t *testing.T, replace map[string]string, pkg string, args ...string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	overlay, binary := filepath.Join(work, "overlay.json"), filepath.Join(work, "overlaid.test")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The binary runs here: pkg may be no folder but in the overlay.
	out, err := exec.Command(binary, append([]string{"-test.v"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(string(out))
	return string(out)
}
