package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// module is the path that all of our packages begin with.
const module = "github.com/kubesim-dev/kubesim/"

// allowed says what of ours each folder may import beside its own subfolders.
// A key ending in /... holds for everything below it; the longest key decides.
// It is the table of arrows of README.md, Architecture.
var allowed = map[string][]string{
	"storage/...":   {"storage"},
	"apiserver/...": {"apiserver"},
	// Types of API objects, as k8s.io/api has them: everybody may read and write those.
	"apiserver/apis/...":     {"apiserver/apis"},
	"controllers/engine/...": {},
	// A controller is alone with the engine: two meet in API objects only.
	"controllers/...": {"controllers/engine", "apiserver/apis"},
	// The tests in the folder itself tell stories of several controllers.
	"controllers":     {"controllers"},
	"kubelet-sim/...": {"kubelet-sim", "controllers/engine", "apiserver/apis"},
	"cmd/...":         {"cmd", "internal", "apiserver", "controllers", "kubelet-sim", "storage"},
	// app.Options names a clock mode of the engine.
	"e2e/...":             {"cmd", "controllers/engine"},
	"e2e/testcluster/...": {"cmd/kubesim/app", "controllers/engine", "apiserver/apis"},
	// What users write imports what they may import.
	"docs/examples/...": {"e2e/testcluster", "apiserver/apis"},
	// Upstream's integration tests, over our server and our controllers.
	"e2e/upstream/...": {"e2e/upstream", "cmd/kubesim/app", "controllers"},
	"internal/...":     {"internal", "apiserver", "controllers", "kubelet-sim", "storage"},
	// Tables of text and files that know nothing of a cluster.
	"internal/overlay/...":  {},
	"internal/terminal/...": {},
}

// forTests may be imported by every test.
const forTests = "internal/overlay"

// TestImportsFollowTheArrows fails where a package of ours imports another
// against the direction of the design, in its tests too.
func TestImportsFollowTheArrows(t *testing.T) {
	packages := listPackages(t)
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	for _, p := range packages {
		for _, imported := range p.ours() {
			if !mayImport(p.folder(), imported) {
				t.Errorf("%s imports %s; it may import only %v (see README.md, Architecture)",
					p.folder(), imported, allowed[rule(p.folder())])
			}
		}
	}
}

// TestImportRules judges the judge.
func TestImportRules(t *testing.T) {
	for name, tc := range map[string]struct {
		folder, imported string
		want             bool
	}{
		"a controller may import the engine":             {"controllers/job", "controllers/engine", true},
		"a controller may import a package of its own":   {"controllers/job", "controllers/job/backoff", true},
		"a controller may not import another":            {"controllers/job", "controllers/cronjob", false},
		"a controller may not import the store":          {"controllers/job", "storage", false},
		"a package beside another starts no shared name": {"controllers/job", "controllers/jobs", false},
		"a story may import several controllers":         {"controllers", "controllers/job", true},
		"the store is alone":                             {"storage", "controllers/engine", false},
		"the store's parts may import each other":        {"storage/a", "storage/b", true},
		"the engine is alone":                            {"controllers/engine", "apiserver", false},
		"the kubelet may import its parts":               {"kubelet-sim/lifecycle", "kubelet-sim/program/vfs", true},
		"the kubelet may not import a controller":        {"kubelet-sim/lifecycle", "controllers/job", false},
		"the kubelet may import types of API objects":    {"kubelet-sim/script", "apiserver/apis/sim/v1alpha1", true},
		"the kubelet may not import the API server":      {"kubelet-sim/script", "apiserver", false},
		"types of API objects are alone":                 {"apiserver/apis/sim/v1alpha1", "apiserver", false},
		"cmd joins all":                                  {"cmd/kubesim/app", "kubelet-sim/node", true},
		"an unknown folder has no rights":                {"util", "storage", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mayImport(tc.folder, tc.imported); got != tc.want {
				t.Errorf("mayImport(%q, %q) = %v, want %v", tc.folder, tc.imported, got, tc.want)
			}
		})
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// folder is the package's path in the repository.
func (p listed) folder() string { return strings.TrimPrefix(p.ImportPath, module) }

// ours are the folders of this module that the package or its tests import, but
// for what is there for tests.
func (p listed) ours() []string {
	folders := map[string]bool{}
	for i, imports := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
		for _, imported := range imports {
			if folder, ok := strings.CutPrefix(imported, module); ok && folder != p.folder() && (i == 0 || folder != forTests) {
				folders[folder] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(folders))
}

// rule is the key of allowed that governs folder.
func rule(folder string) string {
	if _, ok := allowed[folder]; ok {
		return folder
	}
	for ; folder != "."; folder = path.Dir(folder) {
		if _, ok := allowed[folder+"/..."]; ok {
			return folder + "/..."
		}
	}
	return ""
}

func mayImport(folder, imported string) bool {
	if within(imported, folder) {
		return true
	}
	return slices.ContainsFunc(allowed[rule(folder)], func(right string) bool { return within(imported, right) })
}

// within reports whether folder is parent or lies below it.
func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}
