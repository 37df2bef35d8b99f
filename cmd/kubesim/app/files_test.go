package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesim-dev/kubesim/internal/scenario"
)

func TestDiff(t *testing.T) {
	const head = "2026-01-01T00:00:00.000000000Z r5 scheduler/default/pi-x update pods/default/pi-x\n"
	a := write(t, "a.log", head+"2026-01-01T00:00:01.500000000Z r6 lifecycle/default/pi-x update pods/default/pi-x\n")
	b := write(t, "b.log", head+"2026-01-01T00:00:02.500000000Z r6 lifecycle/default/pi-x update pods/default/pi-x\n")
	if got := run("diff", a, a); got.Status != exitOK || got.Out != "The logs are the same: 2 lines, up to 2026-01-01T00:00:01Z.\n" {
		t.Errorf("a log and itself: %+v", got)
	}
	if got := run("diff", a, b); got.Status != exitFailed || got.ErrOut != "" || !strings.Contains(got.Out, a) || !strings.Contains(got.Out, b) {
		t.Errorf("two logs: %+v", got)
	}
	missing := filepath.Join(t.TempDir(), "nosuch.log")
	if diff := cmp.Diff(result{exitFailed, "", "kubesim: " + missing + ": no such file or directory\n"}, run("diff", a, missing)); diff != "" {
		t.Errorf("a log that is not there (-want +got):\n%s", diff)
	}
	if got := run("diff", write(t, "c.log", "hello\n"), a); got.Status != exitFailed || !strings.HasPrefix(got.ErrOut, "kubesim: ") || got.Out != "" {
		t.Errorf("what is no log: %+v", got)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "kubesim.db")
	if diff := cmp.Diff(result{exitFailed, "", "kubesim: check " + missing + ": no such file: want the --data-dir of a server, or a snapshot\n"}, run("check", dir)); diff != "" {
		t.Errorf("an empty directory (-want +got):\n%s", diff)
	}
	if got := run("check", write(t, "a.db", "hello")); got.Status != exitFailed || got.ErrOut == "" {
		t.Errorf("what is no store: %+v", got)
	}
}

func TestRun(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nosuch.yaml")
	if got := run("run", missing); got.Status != exitFailed || !strings.Contains(got.ErrOut, missing) || !strings.Contains(got.ErrOut, "no such file") {
		t.Errorf("a file that is not there: %+v", got)
	}
	if got := run("run", write(t, "pod.yaml", "apiVersion: v1\nkind: Pod\n")); got.Status != exitFailed || !strings.HasPrefix(got.ErrOut, "kubesim: ") || got.Out != "" {
		t.Errorf("what is no scenario: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	got := run("version")
	if got.Status != exitOK || got.ErrOut != "" || !strings.HasPrefix(got.Out, "kubesim ") || !strings.Contains(got.Out, "Kubernetes v1.") {
		t.Errorf("%+v", got)
	}
}

// TestKubectl runs the one on PATH, with the user's kubeconfig, and ends as it does.
func TestKubectl(t *testing.T) {
	home := nowhere(t)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if got := run("kubectl", "get", "pods"); got.Status != exitFailed || got.ErrOut != "kubesim: no kubectl beside kubesim or on PATH: 'make build' puts one into bin/\n" {
		t.Errorf("without one: %+v", got)
	}
	script := "#!/bin/sh\necho \"$KUBECONFIG: $*\"\nexit 7\n"
	if err := os.WriteFile(filepath.Join(bin, "kubectl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := run("kubectl", "get", "pods"); got.Status != exitFailed || !strings.Contains(got.ErrOut, "no kubeconfig at ") {
		t.Errorf("without a server: %+v", got)
	}
	if err := os.MkdirAll(filepath.Join(home, ".kubesim"), 0o700); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(home, ".kubesim", "kubeconfig")
	if err := os.WriteFile(kubeconfig, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"get pods":                kubeconfig + ": get pods\n",
		"get pods --kubeconfig=a": ": get pods --kubeconfig=a\n",
		"--kubeconfig a --help":   ": --kubeconfig a --help\n",
	} {
		if diff := cmp.Diff(result{7, want, ""}, run(append([]string{"kubectl"}, strings.Fields(line)...)...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/home/you/.kubesim/kubeconfig": "/home/you/.kubesim/kubeconfig",
		"/home/my files/kubeconfig":     "'/home/my files/kubeconfig'",
		"it's":                          `'it'\''s'`,
		"$HOME":                         "'$HOME'",
	} {
		if got := shellQuote(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// TestFirstMissing: with it an exploration that was interrupted goes on.
func TestFirstMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		from   uint64
		played []uint64
		want   uint64
	}{
		"nothing was played":       {1, nil, 1},
		"the first three":          {1, []uint64{1, 2, 3}, 4},
		"one is missing":           {5, []uint64{5, 7, 8}, 6},
		"the first one is missing": {5, []uint64{6, 7}, 5},
	} {
		var results []*scenario.Result
		for _, seed := range tc.played {
			results = append(results, &scenario.Result{Seed: seed})
		}
		if got := firstMissing(tc.from, results); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}
