package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// module is the path that all of our packages begin with.
const module = "github.com/kubesim-dev/kubesim/"

// allowed says what of ours each folder may import beside its own subfolders.
// A key ending in /... holds for everything below it; the longest key decides.
// It is the table of arrows of README.md, Architecture.
var allowed = map[string][]string{
	"storage/...": {"storage"},
	// What a bbolt file is, and what protobuf makes of an object, is known without a store.
	"storage/boltfile/...": {},
	"storage/shape/...":    {},
	"apiserver/...":        {"apiserver"},
	// Types of API objects, as k8s.io/api has them: everybody may read and write those.
	"apiserver/apis/...":     {"apiserver/apis"},
	"controllers/engine/...": {},
	// A controller is alone with the engine: two meet in API objects only.
	"controllers/...": {"controllers/engine", "controllers/workload", "apiserver/apis"},
	// The scheduler's rooms.
	"controllers/scheduler/snapshot/...": {},
	"controllers/scheduler/profile/...":  {"controllers/engine", "controllers/scheduler/snapshot"},
	// What controllers that run Pods have in common.
	"controllers/workload/...": {"controllers/engine"},
	// The tests in the folder itself tell stories of several controllers.
	"controllers":     {"controllers"},
	"kubelet-sim/...": {"kubelet-sim", "controllers/engine", "apiserver/apis"},
	// The rooms of the kubelet: those that only say something know no effects, and none
	// knows the worker but sessions.
	"kubelet-sim/addresses/...":      {},
	"kubelet-sim/eviction/...":       {},
	"kubelet-sim/images/...":         {},
	"kubelet-sim/runas/...":          {"kubelet-sim/podstate"},
	"kubelet-sim/event/...":          {"apiserver/apis"},
	"kubelet-sim/prober/...":         {"controllers/engine"},
	"kubelet-sim/depend/...":         {"controllers/engine"},
	"kubelet-sim/admission/...":      {"kubelet-sim/event", "kubelet-sim/node"},
	"kubelet-sim/podcertificate/...": {"kubelet-sim/event", "kubelet-sim/node", "controllers/engine"},
	"kubelet-sim/podstate/...":       {"kubelet-sim/admission", "kubelet-sim/podcertificate", "kubelet-sim/prober", "kubelet-sim/script", "controllers/engine"},
	"kubelet-sim/decide/...":         {"kubelet-sim/event", "kubelet-sim/podstate", "controllers/engine"},
	"kubelet-sim/status/...":         {"kubelet-sim/admission", "kubelet-sim/event", "kubelet-sim/podstate"},
	"kubelet-sim/environment/...":    {"kubelet-sim/depend", "kubelet-sim/podstate", "controllers/engine"},
	"kubelet-sim/request/...":        {"kubelet-sim/program/kernel"},
	"kubelet-sim/hook/...":           {"kubelet-sim/cri", "kubelet-sim/podstate", "kubelet-sim/program", "kubelet-sim/request", "controllers/engine"},
	"kubelet-sim/resize/...":         {"kubelet-sim/admission", "kubelet-sim/decide", "kubelet-sim/event", "kubelet-sim/podstate"},
	"kubelet-sim/recovery/...":       {"kubelet-sim/cri", "kubelet-sim/depend", "kubelet-sim/eviction", "kubelet-sim/images", "kubelet-sim/podstate", "kubelet-sim/prober", "kubelet-sim/static", "controllers/engine"},
	"kubelet-sim/cri/...":            {"kubelet-sim/images", "kubelet-sim/program"},
	"kubelet-sim/volume/...":         {"kubelet-sim/depend", "kubelet-sim/environment", "kubelet-sim/podcertificate", "kubelet-sim/podstate", "kubelet-sim/program/vfs", "kubelet-sim/stats", "controllers/engine"},
	"kubelet-sim/static/...":         {"kubelet-sim/event", "kubelet-sim/node", "kubelet-sim/podstate", "kubelet-sim/program/vfs", "kubelet-sim/stats", "controllers/engine", "apiserver/apis"},
	"cmd/...":                        {"cmd", "internal", "apiserver", "controllers", "kubelet-sim", "storage"},
	// cluster.Options name a clock mode of the engine.
	"e2e/...":             {"cmd", "internal", "controllers/engine"},
	"e2e/testcluster/...": {"internal/cluster", "internal/handlers", "internal/timeline", "controllers/engine", "apiserver/apis"},
	// What users write imports what they may import.
	"docs/examples/...": {"e2e/testcluster", "apiserver/apis"},
	// Upstream's integration tests, over our server and our controllers.
	"e2e/upstream/...": {"e2e/upstream", "internal/cluster", "controllers", "apiserver"},
	// What a cluster is. Those who call it are not called by it.
	"internal/cluster/...": {
		"internal/datadir", "internal/history", "internal/kubeconfig", "internal/listener", "internal/memory", "internal/pki", "internal/version",
		"apiserver", "controllers", "kubelet-sim", "storage",
	},
	"internal/clusters/...":   {"internal/datadir", "internal/kubeconfig", "internal/settings", "storage"},
	"internal/settings/...":   {"internal/datadir"},
	"internal/datadir/...":    {},
	"internal/kubeconfig/...": {"internal/datadir"},
	"internal/history/...":    {"internal/datadir", "storage", "controllers/engine"},
	"internal/listener/...":   {},
	"internal/memory/...":     {"kubelet-sim"},
	"internal/pki/...":        {"internal/datadir"},
	// What stands beside it.
	"internal/handlers/...":  {"internal/cluster", "internal/explain", "internal/history", "apiserver"},
	"internal/play/...":      {"internal/cluster", "internal/manifest", "internal/memory", "internal/pki", "internal/scenario", "internal/timeline", "apiserver", "controllers/engine", "kubelet-sim"},
	"internal/recording/...": {"internal/cluster", "internal/datadir", "internal/manifest", "internal/pki", "internal/play", "internal/scenario", "apiserver", "controllers/engine"},
	"internal/timeline/...":  {"internal/terminal", "apiserver/apis", "controllers/engine", "kubelet-sim"},
	"internal/explain/...":   {"internal/explain", "internal/terminal", "apiserver/apis", "controllers"},
	"internal/scenario/...":  {"internal/manifest", "internal/terminal", "apiserver", "controllers"},
	"internal/...":           {},
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
		"a decision knows nothing of the worker":         {"kubelet-sim/decide", "kubelet-sim/lifecycle", false},
		"a status follows from no program":               {"kubelet-sim/status", "kubelet-sim/program", false},
		"a session follows the worker":                   {"kubelet-sim/session", "kubelet-sim/lifecycle", true},
		"the kubelet may import types of API objects":    {"kubelet-sim/script", "apiserver/apis/sim/v1alpha1", true},
		"the kubelet may not import the API server":      {"kubelet-sim/script", "apiserver", false},
		"types of API objects are alone":                 {"apiserver/apis/sim/v1alpha1", "apiserver", false},
		"cmd joins all":                                  {"cmd/kubesim/app", "internal/cluster", true},
		"a cluster does not know its command line":       {"internal/cluster", "cmd/kubesim/app", false},
		"a cluster calls no handler":                     {"internal/cluster", "internal/handlers", false},
		"an unknown folder has no rights":                {"util", "storage", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mayImport(tc.folder, tc.imported); got != tc.want {
				t.Errorf("mayImport(%q, %q) = %v, want %v", tc.folder, tc.imported, got, tc.want)
			}
		})
	}
}

// TestAClusterIsNoPartOfTheCommandLine holds those who have a cluster without a command
// line to that: no package of ours that they link knows cobra, or lies in cmd. (One of
// upstream's does: its API server has k8s.io/component-base/cli/flag.)
func TestAClusterIsNoPartOfTheCommandLine(t *testing.T) {
	packages := map[string]listed{}
	for _, p := range listPackages(t) {
		packages[p.folder()] = p
	}
	for _, root := range []string{"internal/cluster", "e2e/testcluster", "e2e/differential"} {
		seen := map[string]bool{root: true}
		for todo := []string{root}; len(todo) > 0; todo = todo[1:] {
			p, ok := packages[todo[0]]
			if !ok {
				t.Fatalf("go list found no package %s", todo[0])
			}
			if within(p.folder(), "cmd") || slices.ContainsFunc(p.Imports, func(i string) bool { return strings.HasPrefix(i, "github.com/spf13/") }) {
				t.Errorf("%s links %s, which belongs to a command line", root, p.folder())
			}
			for _, imported := range p.Imports {
				if folder, ok := strings.CutPrefix(imported, module); ok && !seen[folder] {
					seen[folder] = true
					todo = append(todo, folder)
				}
			}
		}
		if root != "e2e/differential" && len(seen) < 20 {
			t.Errorf("%s links %d packages of ours: it has a cluster", root, len(seen))
		}
	}
}

// TestOnlyProgramsExit: a package that ends its process takes that decision, and all
// deferred calls, from those who call it.
func TestOnlyProgramsExit(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.Name == "main" {
			continue
		}
		for _, file := range p.GoFiles {
			path := filepath.Join("..", p.folder(), file)
			if source := overlay.Read(t, path); strings.Contains(source, "os.Exit(") || strings.Contains(source, "log.Fatal") {
				t.Errorf("%s ends its process: return an error to package main", path)
			}
		}
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Name                   string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,GoFiles,Imports,TestImports,XTestImports", "./...")
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
