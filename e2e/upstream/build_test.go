package upstream

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	// Without these go test would not know that a change of theirs concerns it.
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/cronjob"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/daemon"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/deployment"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/job"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/podgc"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/replicaset"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/server"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/statefulset"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/util"
	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// here is the import path of this folder.
const here = "github.com/kubesim-dev/kubesim/e2e/upstream/"

// kubernetes is upstream's module, of which most of the suites are.
const kubernetes = "k8s.io/kubernetes"

// build compiles the suites to one binary. Its only test, TestIntegration, has
// a subtest for each suite, and that one for each of tests, suite/test. The tests of a
// suite read files in its folder.
func build(t *testing.T) (binary string, tests []string, folders map[string]string) {
	t.Helper()
	folders = map[string]string{}
	o := overlay.New(t)
	o.Require(t, "../conformance")
	layStandIns(t, o)
	var head, calls strings.Builder
	for i, s := range suites() {
		fmt.Fprintf(&head, "\tsuite%d %q\n", i, here+"suites/"+s.name)
		fmt.Fprintf(&calls, "\tt.Run(%q, func(t *testing.T) {\n\t\tserver.Controllers = %#v\n", s.name, s.controllers)
		folders[s.name] = filepath.Join(overlay.ModuleDir(t, s.module), s.folder())
		for _, name := range laySuite(t, o, s, folders[s.name]) {
			tests = append(tests, s.name+"/"+name)
			fmt.Fprintf(&calls, "\t\tt.Run(%q, %ssuite%d.%s))\n", name, wrap(s.name+"/"+name), i, name)
		}
		calls.WriteString("\t})\n")
	}
	o.LayText(t, "suites/suites_test.go", "package suites\n\nimport (\n\t\"io\"\n\t\"net\"\n\t\"strings\"\n\t\"testing\"\n\n\t\"k8s.io/klog/v2\"\n\t\""+here+"shim/server\"\n\t\""+here+"standins/framework\"\n"+head.String()+")\n\n"+
		"func TestIntegration(t *testing.T) {\n"+calls.String()+"}\n"+overEtcdText)
	// A test looks for the binary's name in what it has written.
	binary = filepath.Join(cmp.Or(*keep, t.TempDir()), "integration.test")
	if !exists(binary) {
		if err := os.Rename(o.Build(t, here+"suites"), binary); err != nil {
			t.Fatal(err)
		}
	}
	return binary, tests, folders
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// wrap begins the call of what runs a test.
func wrap(test string) string {
	if slices.Contains(overEtcd(), test) {
		return "overEtcd("
	}
	return "("
}

// overEtcdText runs a test with an etcd of its own. Upstream's function finds it in PATH,
// and lets it listen at a socket. Some tests want TCP.
const overEtcdText = `
func overEtcd(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		url, stop, err := framework.RunCustomEtcd(klog.Background(), "kubesim", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		t.Setenv("KUBE_INTEGRATION_ETCD_URL", "http://"+byTCP(t, strings.TrimPrefix(url, "unix://")))
		test(t)
	}
}

func byTCP(t *testing.T, socket string) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", socket)
			if err != nil {
				from.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				}()
			}
		}
	}()
	return listener.Addr().String()
}
`

// layStandIns lays upstream's packages that start servers, in which ours are started.
func layStandIns(t *testing.T, o *overlay.Overlay) {
	t.Helper()
	for from, to := range servers() {
		o.Redirect(from, here+to)
	}
	for _, s := range []struct{ module, folder, to string }{
		{kubernetes, "test/integration/apiserver/apidefinitions", "apidefinitions"},
		{kubernetes, "test/integration/apiserver/discovery", "discovery"},
		{kubernetes, "test/integration/framework", "framework"},
		{kubernetes, "test/integration/util", "util"},
		{kubernetes, "cmd/kube-apiserver/app/testing", "apiserver"},
		{"k8s.io/apiextensions-apiserver", "test/integration/fixtures", "fixtures"},
	} {
		o.LaySources(t, filepath.Join(overlay.ModuleDir(t, s.module), s.folder), "standins/"+s.to, standInFor()...)
		if file := filepath.Join("testdata", s.to, "standin.go.txt"); exists(file) {
			o.Lay(t, filepath.Join("standins", s.to, "standin.go"), file)
		}
	}
}

// standInFor names upstream's functions that have stand-ins.
func standInFor() []string {
	return []string{
		"StartTestServer", "startDefaultServer",
		"InitTestSchedulerWithOptions", "InitTestSchedulerWithNS", "SyncSchedulerInformerFactory", "WaitForNodesInCache", "CreateAndWaitForNodesInCache",
	}
}

// laySuite lays the files of a suite as ordinary ones and returns the names of its tests.
func laySuite(t *testing.T, o *overlay.Overlay, s suite, from string) (tests []string) {
	t.Helper()
	var pairs []string
	for _, from := range slices.Sorted(maps.Keys(s.imports)) {
		pairs = append(pairs, `"`+from+`"`, `"`+here+s.imports[from]+`"`)
	}
	imports := strings.NewReplacer(pairs...)
	files, err := filepath.Glob(filepath.Join(from, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, text := filepath.Base(file), overlay.Read(t, file)
		if name == "main_test.go" && !s.whole {
			continue // it starts etcd
		}
		// What tests a package from outside would else be another one.
		text = regexp.MustCompile(`(?m)^(package \w+)_test$`).ReplaceAllString(text, "$1")
		o.LayText(t, filepath.Join("suites", s.name, strings.TrimSuffix(name, "_test.go")+"_as_ordinary_file.go"), imports.Replace(text))
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(text, -1) {
			tests = append(tests, m[1])
		}
	}
	return tests
}
