package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubesim-dev/kubesim/internal/clusters"
	"github.com/kubesim-dev/kubesim/internal/datadir"
)

// untilMax and untilInterval bound a script's `until`. Unit: wall time.
const (
	untilMax      = 90 * time.Second
	untilInterval = 50 * time.Millisecond
)

// TestScripts runs every testdata/script/*.txtar. Each is also a page of
// documentation. Beside testscript's own commands there are:
//
//	serve [FLAG...]        start `kubesim serve` on a free port, in the background, and set
//	                       KUBECONFIG; at the end it must stop cleanly, with nothing on stderr
//	shutdown [PATTERN...]  stop it now, as Ctrl-C does; a line on stderr matches each
//	crash                  end it as kill -9 does
//	until PATTERN CMD...   run CMD again and again until its stdout matches PATTERN
//	status N CMD...        run CMD, which must exit with status N
//
// HOME is a folder of the script's own, so the default data directory is
// $HOME/.kubesim.
//
// testscript's own command stop ends a script early and lets it pass; none may
// have it.
func TestScripts(t *testing.T) {
	t.Parallel()
	checkScripts(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		ContinueOnError:     true,
		Setup: func(e *testscript.Env) error {
			e.Values[running{}] = &running{}
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Defer(func() { endLeft(filepath.Join(home, ".kubesim")) })
			return os.Mkdir(home, 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve, "shutdown": shutdown, "crash": crash, "until": until, "status": status,
		},
	})
}

// endLeft ends the clusters in the background that a script has left, as a failed one does.
func endLeft(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "clusters", "*"))
	for _, path := range append(left, dir) {
		c := clusters.Cluster{Dir: &datadir.Dir{Path: path}}
		if p, err := os.FindProcess(c.Process()); err == nil && p.Pid > 0 {
			_ = p.Kill() // it may have ended
		}
	}
}

// checkScripts keeps out what makes a script pass in vain, or fail on a busy machine.
func checkScripts(t *testing.T) {
	t.Helper()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^stop\b`).Match(text) {
			t.Errorf("%s: what follows stop does not run: write shutdown to stop the server", script)
		}
		if regexp.MustCompile(`(?m)^kind: List$`).Match(text) {
			t.Errorf("%s: for a List kubectl gives the server 32 s to build /openapi/v2: separate the documents by ---", script)
		}
	}
}

// running is a script's server, if it has one. It is the key and the type of
// the script's own value.
type running struct{ *server }

func serverOf(ts *testscript.TestScript) *running {
	r, ok := ts.Value(running{}).(*running)
	if !ok {
		ts.Fatalf("no server slot")
	}
	return r
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("to see serve fail, say: ! exec kubesim serve ...")
	}
	r := serverOf(ts)
	if r.server != nil {
		ts.Fatalf("a server runs already: stop it first")
	}
	env := append(os.Environ(), "HOME="+ts.Getenv("HOME"), "TMPDIR="+ts.Getenv("TMPDIR"))
	s, err := startServer(ts.MkAbs("."), env, args...)
	ts.Check(err)
	r.server = s
	ts.Setenv("KUBECONFIG", s.kubeconfig)
	ts.Defer(func() {
		if r.server == s {
			r.server = nil
			ts.Check(s.stop())
		}
	})
}

// take returns the running server and forgets it.
func take(ts *testscript.TestScript, neg bool, args []string) *server {
	r := serverOf(ts)
	if neg || len(args) > 0 || r.server == nil {
		ts.Fatalf("usage: stop, or crash, after serve")
	}
	s := r.server
	r.server = nil
	return s
}

func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(take(ts, neg, nil).stop(args...))
}

func crash(ts *testscript.TestScript, neg bool, args []string) { take(ts, neg, args).kill() }

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND [ARGUMENT...]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(untilMax); time.Now().Before(deadline); time.Sleep(untilInterval) {
		if err = ts.Exec(args[1], args[2:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("after %v, %q did not match; the last error: %v", untilMax, args[0], err)
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
