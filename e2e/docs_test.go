package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs runs the commands of the console blocks in docs/ and the README, in a
// shell each, and compares what they print. All blocks of a page are one session.
// A line "$ kubesim serve … &" or "$ make run ARGS='…' &" starts the server of what
// follows; "…" stands for anything within a line. The folder docs is where a reader in
// the repository's root has it.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	pages = append(pages, "../README.md")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if steps := consoleSteps(string(text)); len(steps) > 0 {
			t.Run(filepath.Base(page), func(t *testing.T) {
				t.Parallel()
				runSteps(t, page, steps)
			})
		}
	}
}

// rewrite replaces old in a file, once.
func rewrite(t *testing.T, file, old, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(data), old, text, 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// consoleStep is a command and what it prints.
type consoleStep struct{ command, want string }

var consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

func consoleSteps(page string) []consoleStep {
	var steps []consoleStep
	for _, block := range consoleBlock.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, consoleStep{command: strings.TrimSpace(command)})
			} else if n := len(steps); n > 0 {
				steps[n-1].want += line
			}
		}
	}
	return steps
}

var (
	serveCommand   = regexp.MustCompile(`^kubesim serve (.*)&$`)
	makeRunCommand = regexp.MustCompile(`^make run ARGS='(.*)' &$`)
)

// serveArgs are those of a command that starts a server.
func serveArgs(command string) ([]string, bool) {
	for _, pattern := range []*regexp.Regexp{serveCommand, makeRunCommand} {
		if m := pattern.FindStringSubmatch(command); m != nil {
			return strings.Fields(m[1]), true
		}
	}
	return nil, false
}

// runSteps runs a page's steps. With -update it writes into the page what is printed;
// then what differs from run to run has to be made … again.
func runSteps(t *testing.T, page string, steps []consoleStep) {
	dir := t.TempDir()
	docs, err := filepath.Abs("../docs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(docs, filepath.Join(dir, "docs")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "KUBECONFIG=")
	for _, step := range steps {
		if args, ok := serveArgs(step.command); ok {
			s, err := startServer(dir, env, args...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			})
			env = append(env, "KUBECONFIG="+s.kubeconfig)
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", step.command)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil && !strings.Contains(step.want, "kubesim: ") && !strings.Contains(step.want, "Error from server") {
			t.Fatalf("$ %s\n%s%v", step.command, out, err)
		}
		want := strings.ReplaceAll(regexp.QuoteMeta(step.want), "…", ".*")
		if !regexp.MustCompile("^" + want + "$").Match(out) {
			if *update {
				rewrite(t, page, "$ "+step.command+"\n"+step.want, "$ "+step.command+"\n"+string(out))
				continue
			}
			t.Fatalf("$ %s\ngot:\n%s\nwant:\n%s", step.command, out, step.want)
		}
	}
}
