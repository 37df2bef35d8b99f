package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestScenarios runs every scenario of docs/scenarios, which must hold, and compares what
// is printed with testdata/scenarios; -update rewrites that.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, path := range scenarioFiles(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := playedOnce(t, path, ways(1)[0])
			if run.status != 0 {
				t.Fatalf("exit status %d\n%s", run.status, run.timeline)
			}
			golden := filepath.Join("testdata", "scenarios", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(run.timeline), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(overlay.Read(t, golden), "\n")
			if diff := cmp.Diff(want, strings.Split(run.timeline, "\n")); diff != "" {
				t.Errorf("%s (-want +got); -update rewrites it:\n%s", golden, diff)
			}
		})
	}
}

func scenarioFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../docs/scenarios/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("scenarios in docs/scenarios: %d, %v", len(files), err)
	}
	return files
}

// TestScenariosPageIsComplete fails where docs/scenarios.md leaves out a field of a step
// or of an expectation, or a scenario, and where one does not say what it shows.
func TestScenariosPageIsComplete(t *testing.T) {
	page := overlay.Read(t, "../docs/scenarios.md")
	source := overlay.Read(t, "../internal/scenario/scenario.go")
	for _, name := range []string{"Spec", "Step", "Expectation", "Request", "Server"} {
		for _, field := range jsonFields(t, source, name) {
			if !strings.Contains(page, "`"+field) {
				t.Errorf("docs/scenarios.md does not have `%s`, a field of %s", field, name)
			}
		}
	}
	for _, path := range scenarioFiles(t) {
		if name := filepath.Base(path); !strings.Contains(page, "scenarios/"+name) {
			t.Errorf("docs/scenarios.md does not show %s", name)
		}
		if !strings.HasPrefix(overlay.Read(t, path), "# ") {
			t.Errorf("%s does not begin with a comment that says what it shows", path)
		}
	}
}
