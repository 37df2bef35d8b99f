package upstream

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// racy lists, by suite and test, those that may fail on a busy machine, whoever the
// controller is. They pass if they do so once in triesMax.
var racy = map[string]string{
	"deployment/TestScaledRolloutDeployment": "waits for a ReplicaSet to have the size that it had asked for in the middle of a rollout, which may go on",
	"job/TestElasticIndexedJob":              "looks for the Pod of an index as soon as it has scaled the Job up to it, without waiting for the controller",
}

const triesMax = 3

// processesMax is how many processes run tests at once. They mostly sleep.
const processesMax = 8

var only = flag.String("upstream.test", "", "run only the tests that match this `regexp`, for example '^job/TestSuspend'")

var whole = flag.Bool("upstream.all", false, "run all suites, not only CI's share")

var keep = flag.String("upstream.binary", "", "keep the suites' binary in this `folder`; if it is there, it is not built")

// TestUpstreamIntegration runs upstream's integration tests over a kubesim server and
// our controllers: the tests play the kubelet, and set what our Config has.
//
// The suites come out of the module cache and are compiled to one binary, in
// which a test file is an ordinary file of its package, and the imports of what
// we replace lead to the folder shim. Each test runs in a process of its own:
// several set variables of the package, and count metrics.
func TestUpstreamIntegration(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs in real time")
	}
	binary, all, folders := build(t)
	for _, s := range suites() {
		if n := countOf(all, s.name); n != s.tests {
			t.Errorf("%s has %d tests, not %d: is this another release?", s.name, n, s.tests)
		}
	}
	notRun := notRun()
	for _, list := range []map[string]string{notRun, racy} {
		for test := range list {
			if *whole && !slices.Contains(all, testOf(test)) {
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
				err := run(t.Context(), binary, folders[path.Dir(test)], test)
				for n := 1; err != nil && racy[test] != "" && n < triesMax; n++ {
					err = run(t.Context(), binary, folders[path.Dir(test)], test)
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

// countOf returns how many of the tests are of a suite.
func countOf(tests []string, suite string) int {
	return len(slices.DeleteFunc(slices.Clone(tests), func(test string) bool { return path.Dir(test) != suite }))
}

// testMax is the longest that a test may take. One that hangs says where.
const testMax = 5 * time.Minute

// testOf returns the test of a subtest, and of a test itself.
func testOf(name string) string {
	for i, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, "Test") {
			return strings.Join(strings.Split(name, "/")[:i+1], "/")
		}
	}
	return name
}

// pattern matches one test, or subtests.
func pattern(test string) string {
	return "^TestIntegration$/^" + strings.ReplaceAll(test, "/", "$/^") + "$"
}

// run runs one test in its suite's folder, dir. A subtest that skips itself fails: it belongs in notRun.
func run(ctx context.Context, binary, dir, test string) error {
	args := []string{"-test.v", "-test.timeout", testMax.String(), "-test.run", pattern(test)}
	var skipped []string
	for subtest := range notRun() {
		if strings.HasPrefix(subtest, test+"/") {
			skipped = append(skipped, pattern(subtest))
		}
	}
	if skipped != nil {
		slices.Sort(skipped)
		args = append(args, "-test.skip", strings.Join(skipped, "|"))
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	bin, err := filepath.Abs("../../bin") // etcd is there
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	if text := string(out); !strings.Contains(text, "--- PASS: TestIntegration/"+test+" ") || strings.Contains(text, "--- SKIP") {
		return fmt.Errorf("it did not run, or not all of it:\n%s", text)
	}
	return nil
}
