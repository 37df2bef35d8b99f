package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestExamples runs the examples of docs/examples that are not in Go, as their readers do: with kubesim and
// kubectl on the PATH.
func TestExamples(t *testing.T) {
	t.Run("bash", func(t *testing.T) {
		t.Parallel()
		first, second := runExample(t, "../docs/examples/bash", "./test.sh"), runExample(t, "../docs/examples/bash", "./test.sh")
		if first != second || strings.Count(first, "\n") != 4 {
			t.Errorf("it prints\n%s\nand then\n%s", first, second)
		}
	})
	t.Run("node", func(t *testing.T) {
		t.Parallel()
		needNode(t)
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../docs/examples/node")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil { // a reader's
			t.Fatal(err)
		}
		runExample(t, dir, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund")
		if out := runExample(t, dir, "npm", "test"); !strings.Contains(out, "# pass 3\n") {
			t.Errorf("not all of its tests pass:\n%s", out)
		}
	})
}

// nodeMin is the oldest major version of Node.js that the example's packages run on.
const nodeMin = 18

func needNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s on this machine; .ci/run installs it", tool)
		}
	}
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < nodeMin {
		t.Skipf("node is of version %s; the example needs %d", strings.TrimSpace(string(out)), nodeMin)
	}
}

// runExample runs a command in a folder and returns what it prints.
func runExample(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
