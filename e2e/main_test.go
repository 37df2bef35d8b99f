// Package e2e tells what a user sees: scripts run the real kubesim and the
// release's own kubectl, and Go tests judge what needs more than a script:
// repeatability, crashes, the API's error texts, the direction of imports.
//
// Invariant: no script waits by the wall clock. In clock modes auto and manual
// a write is answered when the cluster has come to rest; where time flows,
// `until` looks again.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/klog/v2"

	"github.com/kubesim-dev/kubesim/cmd/kubesim/app"
)

var update = flag.Bool("update", false, "rewrite the golden files inside the scripts")

// TestMain makes the test binary the kubesim that scripts and tests run, so
// that it is built as they are: with the race detector, with coverage.
func TestMain(m *testing.M) {
	testscript.Main(withKubectl{m}, commands(map[string]func(){
		"kubesim": func() { os.Exit(app.Main(checked(os.Args[1:]), os.Stdin, os.Stdout, os.Stderr)) },
	}))
}

// checked makes a server validate also what it trusts its controllers with, unless
// args say otherwise.
func checked(args []string) []string {
	if len(args) > 0 && args[0] == "serve" {
		return slices.Insert(slices.Clone(args), 1, "--check-trusted")
	}
	return args
}

// withKubectl puts bin/kubectl on PATH before the tests run: before any other
// kubectl, but after the folder where testscript has put this binary as
// kubesim, for bin/kubesim may be an old one.
type withKubectl struct{ *testing.M }

// Run implements testscript.TestingM.
func (m withKubectl) Run() int {
	bin, err := filepath.Abs("../bin")
	if err == nil {
		err = makeBinary("kubectl")
	}
	if err == nil {
		own, rest, _ := strings.Cut(os.Getenv("PATH"), string(filepath.ListSeparator))
		err = os.Setenv("PATH", strings.Join([]string{own, bin, rest}, string(filepath.ListSeparator)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Once, before anything logs: upstream's controllers say much, and client-go
	// every connection that a kill cuts.
	klog.SetLogger(logr.Discard())
	return m.M.Run()
}

// makeBinary builds bin/name, by the Makefile's rule, unless it is there. What is
// linked into the test binary would not know its version, or be no process.
func makeBinary(name string) error {
	path := filepath.Join("..", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if out, err := exec.Command("make", "-C", "..", "bin/"+name).CombinedOutput(); err != nil {
		return fmt.Errorf("e2e needs bin/%s: make bin/%s: %w\n%s", name, name, err, out)
	}
	return nil
}
