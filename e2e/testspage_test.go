package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestTheTestsPageNamesTests fails where docs/workload-tests.md names a test or a script that
// is not there: one of ours, one of upstream's that ours list or run, or, with the
// name of its package, one of upstream's integration tests.
func TestTheTestsPageNamesTests(t *testing.T) {
	page := overlay.Read(t, "../docs/workload-tests.md")
	integration := filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "test/integration")
	ours := testSources(t)
	named := regexp.MustCompile("`(?:(\\w+)/)?(Test\\w+|[\\w-]+\\.txtar)`").FindAllStringSubmatch(page, -1)
	if len(named) == 0 {
		t.Fatal("it names none")
	}
	for _, name := range named {
		suite, test := name[1], name[2]
		found := false
		switch {
		case strings.HasSuffix(test, ".txtar"):
			_, err := os.Stat(filepath.Join("testdata/script", test))
			found = err == nil
		case suite != "":
			for _, file := range overlay.Sources(t, filepath.Join(integration, suite), true) {
				found = found || strings.Contains(overlay.Read(t, file), "\nfunc "+test+"(")
			}
		default:
			found = strings.Contains(ours, "func "+test+"(") || strings.Contains(ours, `"`+test+`"`)
		}
		if !found {
			t.Errorf("docs/workload-tests.md names %s, which is not there", name[0])
		}
	}
}

// testSources is the text of all tests of the controllers and of e2e.
func testSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, root := range []string{"../controllers", "."} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "_test.go") {
				all.WriteString(overlay.Read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
