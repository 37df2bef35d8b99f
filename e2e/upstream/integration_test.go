package upstream

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	// Without these go test would not know that a change of theirs concerns it.
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/cronjob"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/job"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/podgc"
	_ "github.com/kubesim-dev/kubesim/e2e/upstream/shim/util"
	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// suites are the packages below upstream's test/integration that are run.
var suites = []string{"cronjob", "evictions", "job", "podgc"}

// integrationTests is how many tests the suites have, those of notRun included. A new
// release changes the number.
const integrationTests = 50

// notRun lists, by suite and test, what cannot apply to kubesim.
var notRun = map[string]string{
	"job/TestJobDelegatedPodGroup":            gangScheduling,
	"job/TestJobGangScheduling":               gangScheduling,
	"job/TestJobGangSchedulingElasticScaling": gangScheduling,
	"job/TestJobGangSchedulingSuspendResume":  gangScheduling,
	"job/TestManagedBy_Reenabling":            "switches JobManagedBy off, by the emulation of an older release; in this one the gate is locked on",
	"job/TestMutablePodResourcesWithPodReplacementPolicyFailed": "deletes Pods in the moment in which the controller does, and wants it to take their finalizer all the same; " +
		"ours sees the conflict and waits for the end of the Pods, as upstream's does whose cache is a millisecond newer",
}

const gangScheduling = "wants gang scheduling (the gates GenericWorkload and WorkloadWithJob), which is off by default and is not simulated"

// racy lists, by suite and test, those that may fail on a busy machine, whoever the
// controller is. They pass if they do so once in triesMax.
var racy = map[string]string{
	"job/TestElasticIndexedJob": "looks for the Pod of an index as soon as it has scaled the Job up to it, without waiting for the controller",
}

const triesMax = 3

// shims says which package of ours stands in for one that upstream's tests
// import.
var shims = map[string]string{
	"k8s.io/kubernetes/cmd/kube-apiserver/app/testing": "apiserver",
	"k8s.io/kubernetes/pkg/controller/cronjob":         "cronjob",
	"k8s.io/kubernetes/pkg/controller/disruption":      "disruption",
	"k8s.io/kubernetes/pkg/controller/job":             "job",
	"k8s.io/kubernetes/pkg/controller/podgc":           "podgc",
	"k8s.io/kubernetes/test/integration/framework":     "framework",
	"k8s.io/kubernetes/test/integration/util":          "util",
}

// path is the import path of this folder.
const path = "github.com/kubesim-dev/kubesim/e2e/upstream/"

// processesMax is how many processes run tests at once. They mostly sleep.
const processesMax = 8

var only = flag.String("upstream.test", "", "run only the tests that match this `regexp`, for example '^job/TestSuspend'")

// TestUpstreamIntegration runs upstream's integration tests of its Job, CronJob,
// podgc and disruption controllers over a kubesim server and our controllers: the tests play
// the kubelet, and set what our Config has.
//
// The suites come out of the module cache and are compiled to one binary, in
// which a test file is an ordinary file of its package, and the imports of what
// we replace lead to the folder shim. Each test runs in a process of its own:
// several set variables of the package, and count metrics.
func TestUpstreamIntegration(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs in real time")
	}
	binary, all := build(t)
	if len(all) != integrationTests {
		t.Errorf("upstream has %d tests, not %d: is this another release?", len(all), integrationTests)
	}
	for _, list := range []map[string]string{notRun, racy} {
		for test := range list {
			if !slices.Contains(all, test) {
				t.Errorf("upstream has no test %s: take it from its list", test)
			}
		}
	}
	wanted := regexp.MustCompile(*only)
	turns := make(chan struct{}, processesMax)
	var reports []func()
	for _, test := range all {
		if !wanted.MatchString(test) {
			continue
		}
		// Not t.Parallel: that would run as many as there are processors.
		result := make(chan error, 1)
		if notRun[test] == "" {
			go func() {
				turns <- struct{}{}
				err := run(t.Context(), binary, test)
				for n := 1; err != nil && racy[test] != "" && n < triesMax; n++ {
					err = run(t.Context(), binary, test)
				}
				result <- err
				<-turns
			}()
		}
		reports = append(reports, func() {
			t.Run(test, func(t *testing.T) {
				if reason := notRun[test]; reason != "" {
					t.Skip(reason)
				}
				if err := <-result; err != nil {
					t.Error(err)
				}
			})
		})
	}
	for _, report := range reports {
		report()
	}
}

// run runs one test. A subtest that skips itself fails: it belongs in notRun.
func run(ctx context.Context, binary, test string) error {
	suite, name, _ := strings.Cut(test, "/")
	pattern := fmt.Sprintf("^TestIntegration$/^%s$/^%s$", suite, name)
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.run", pattern)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	if text := string(out); !strings.Contains(text, "--- PASS: TestIntegration/"+test+" ") || strings.Contains(text, "--- SKIP") {
		return fmt.Errorf("it did not run, or not all of it:\n%s", text)
	}
	return nil
}

// build compiles the suites to one binary. Its only test, TestIntegration, has
// a subtest for each suite, and that one for each of tests, suite/test.
func build(t *testing.T) (binary string, tests []string) {
	t.Helper()
	o := overlay.New(t)
	var pairs []string
	for _, from := range slices.Sorted(maps.Keys(shims)) {
		pairs = append(pairs, `"`+from+`"`, `"`+path+"shim/"+shims[from]+`"`)
	}
	imports := strings.NewReplacer(pairs...)
	var head, calls strings.Builder
	for _, suite := range suites {
		fmt.Fprintf(&head, "\t%s %q\n", suite, path+"suites/"+suite)
		fmt.Fprintf(&calls, "\tt.Run(%q, func(t *testing.T) {\n", suite)
		for _, file := range overlay.Sources(t, filepath.Join(overlay.ModuleDir(t, "k8s.io/kubernetes"), "test/integration", suite), true) {
			name, text := filepath.Base(file), overlay.Read(t, file)
			if name == "main_test.go" {
				continue // it starts etcd
			}
			o.LayText(t, filepath.Join("suites", suite, strings.TrimSuffix(name, "_test.go")+"_as_ordinary_file.go"), imports.Replace(text))
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(text, -1) {
				tests = append(tests, suite+"/"+m[1])
				fmt.Fprintf(&calls, "\t\tt.Run(%q, %s.%s)\n", m[1], suite, m[1])
			}
		}
		calls.WriteString("\t})\n")
	}
	o.LayText(t, "suites/suites_test.go",
		"package suites\n\nimport (\n\t\"testing\"\n"+head.String()+")\n\nfunc TestIntegration(t *testing.T) {\n"+calls.String()+"}\n")
	return o.Build(t, path+"suites"), tests
}
