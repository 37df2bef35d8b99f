package storage

import (
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// registryTests is how many tests upstream's registries have that open a store,
// those that registryTestsNotRun lists included. Two more, of rbac, open none. A
// new release changes the number.
const registryTests = 448 + 37

// registryTestsNotRun lists, by package and test, what says nothing of this store.
func registryTestsNotRun() map[string]string {
	return map[string]string{
		"apiserver.generic.registry.TestStoreUpdateHooksInnerRetry": "counts the second attempt after a stale suggestion; this store does not use suggestions (Deviation in state.go)",
		"core.replicationcontroller.storage.TestGenerationNumber":   "changes in place what Get returned; objects are shared here, as they are behind upstream's watch cache (share in decode.go)",
	}
}

// registryShards is how many processes run the tests, which mostly wait for
// watches to stay silent.
const registryShards = 8

// TestUpstreamRegistries runs upstream's own tests of its registries, 53
// packages of k8s.io/kubernetes and the generic store, over this store.
//
// The packages come out of the module cache and are laid beside
// testdata/upstream for the compiler only (go test -overlay), in one binary.
// There, a test file is an ordinary file of its package, and the imports through
// which it would reach etcd lead to testdata/upstream instead.
func TestUpstreamRegistries(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it compiles and runs 54 packages of upstream")
	}
	u := newUpstreamRegistries(t)
	packages := u.layOver(t)
	binary := u.Build(t, "./testdata/upstream")
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if m.Path == "go.etcd.io/etcd/server/v3" {
			t.Fatalf("%s is linked in, so some test runs on etcd: lead its import to testdata/upstream", m.Path)
		}
	}
	passed := 0
	for _, output := range runShards(t, binary, packages) {
		passed += judge(t, output)
	}
	if want := registryTests - len(registryTestsNotRun()); passed != want {
		t.Errorf("%d tests passed, want %d", passed, want)
	}
}

// upstreamRegistries is an overlay under construction.
type upstreamRegistries struct {
	*overlay.Overlay
	apiserver, kubernetes string // directories of upstream's modules
	imports               *strings.Replacer
}

// upstreamPath is the import path of testdata/upstream.
const upstreamPath = "github.com/kubesim-dev/kubesim/storage/testdata/upstream/"

func newUpstreamRegistries(t *testing.T) *upstreamRegistries {
	t.Helper()
	var imports []string
	for from, to := range map[string]string{
		"k8s.io/apiserver/pkg/registry/generic":                         "generic",
		"k8s.io/apiserver/pkg/storage/etcd3/testing":                    "testserver",
		"k8s.io/apiserver/pkg/storage/storagebackend/factory":           "factory",
		"k8s.io/kubernetes/pkg/registry/core/service/allocator/storage": "core/service/allocator/storage",
		"k8s.io/kubernetes/pkg/registry/registrytest":                   "registrytest",
	} {
		imports = append(imports, `"`+from+`"`, `"`+upstreamPath+to+`"`)
	}
	return &upstreamRegistries{
		Overlay:    overlay.New(t),
		apiserver:  overlay.ModuleDir(t, "k8s.io/apiserver"),
		kubernetes: overlay.ModuleDir(t, "k8s.io/kubernetes"),
		imports:    strings.NewReplacer(imports...),
	}
}

// layOver lays upstream's packages beside testdata/upstream, with a test that
// calls theirs, and returns the packages' names in that test.
func (u *upstreamRegistries) layOver(t *testing.T) (packages []string) {
	t.Helper()
	u.layPackage(t, filepath.Join(u.kubernetes, "pkg/registry/registrytest"), "registrytest")
	var calls strings.Builder
	imports := "import (\n\t\"testing\"\n\t\"" + upstreamPath + "factory\"\n"
	for i, from := range u.registries(t) {
		to := strings.TrimPrefix(strings.TrimPrefix(from, u.kubernetes+"/pkg/registry/"), u.apiserver+"/pkg/registry/")
		if strings.HasPrefix(from, u.apiserver) {
			to = "apiserver/" + to
		}
		u.layPackage(t, from, to)
		name := strings.ReplaceAll(to, "/", ".")
		packages = append(packages, name)
		imports += fmt.Sprintf("\tp%d %q\n", i, upstreamPath+to)
		fmt.Fprintf(&calls, "\tt.Run(%q, func(t *testing.T) {\n", name)
		for _, test := range testsOf(t, from) {
			if registryTestsNotRun()[name+"."+test] == "" {
				fmt.Fprintf(&calls, "\t\tt.Run(%q, p%d.%s)\n", test, i, test)
			}
		}
		calls.WriteString("\t})\n")
	}
	u.lay(t, "registries_test.go", "package upstream\n\n"+imports+")\n\nfunc TestRegistries(t *testing.T) {\n"+calls.String()+
		"\tif factory.Written.Load() == 0 {\n\t\tt.Error(\"nothing was written to kubesim's store\")\n\t}\n}\n")
	return packages
}

// registries returns the directories of upstream's packages whose tests open a
// store.
func (u *upstreamRegistries) registries(t *testing.T) []string {
	t.Helper()
	dirs := []string{filepath.Join(u.apiserver, "pkg/registry/generic/registry")}
	opens := regexp.MustCompile(`registrytest\.NewEtcdStorage|etcd3testing\.`)
	err := filepath.WalkDir(filepath.Join(u.kubernetes, "pkg/registry"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "storage_test.go" && opens.MatchString(overlay.Read(t, path)) {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// testsOf returns the tests of dir's storage_test.go or store_test.go. Those of
// its other test files are about no store.
func testsOf(t *testing.T, dir string) (tests []string) {
	t.Helper()
	file := filepath.Join(dir, "storage_test.go")
	if filepath.Base(dir) == "registry" {
		file = filepath.Join(dir, "store_test.go")
	}
	for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(overlay.Read(t, file), -1) {
		tests = append(tests, m[1])
	}
	return tests
}

// layPackage lays the files of a directory of upstream at to.
func (u *upstreamRegistries) layPackage(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if test, found := strings.CutSuffix(name, "_test.go"); found {
			name = test + "_as_ordinary_file.go"
		}
		u.lay(t, filepath.Join(to, name), u.imports.Replace(overlay.Read(t, file)))
	}
}

// lay puts a file with this text at a path below testdata/upstream.
func (u *upstreamRegistries) lay(t *testing.T, path, text string) {
	t.Helper()
	u.LayText(t, filepath.Join("testdata/upstream", path), text)
}

// runShards runs the packages' tests and returns what each process printed.
func runShards(t *testing.T, binary string, packages []string) []string {
	outputs := make([]string, registryShards)
	var shards sync.WaitGroup
	for i := range outputs {
		shards.Go(func() {
			var mine []string
			for p := i; p < len(packages); p += registryShards {
				mine = append(mine, regexp.QuoteMeta(packages[p]))
			}
			cmd := exec.CommandContext(t.Context(), binary, "-test.v", "-test.run", "^TestRegistries$/^("+strings.Join(mine, "|")+")$")
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if outputs[i] = string(out); err != nil {
				t.Errorf("%s: %v", cmd, err)
			}
		})
	}
	shards.Wait()
	return outputs
}

// judge returns how many tests passed and reports the others.
func judge(t *testing.T, output string) (passed int) {
	for _, m := range regexp.MustCompile(`(?m)^        --- (\w+): TestRegistries/(\S+) `).FindAllStringSubmatch(output, -1) {
		if m[1] == "PASS" {
			passed++
		} else {
			t.Errorf("%s: %s", m[2], m[1])
		}
	}
	if t.Failed() {
		t.Log(output)
	}
	return passed
}
