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
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	k8s, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(k8s)), "pkg/controller/job/*.go"))
	if err != nil {
		t.Fatal(err)
	}
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
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-vet=off", "-overlay", overlay, ".", "-run", "^TestDifferential$", "-count=1", "-v",
		"-upstream", strconv.Itoa(*upstreamCases), "-upstream-from", strconv.Itoa(*upstreamFrom)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(string(out))
}
