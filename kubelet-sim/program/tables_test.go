package program

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var updateTables = flag.Bool("tables.update", false, "write into testdata/tables what the machine's own tools print")

// tableShells are what the tables of each folder of testdata/tables are for: a
// container, and the real thing that must print the same.
func tableShells() map[string]tableShell {
	return map[string]tableShell{
		"busybox": {spec: busyboxSh(""), command: []string{"sh", "-c"}, real: []string{"busybox", "sh", "-c"}},
		"dash":    {spec: Spec{Image: "debian:12", User: -1, Group: -1}, command: []string{"sh", "-c"}, real: []string{"sh", "-c"}},
		"bash":    {spec: Spec{Image: "debian:12", User: -1, Group: -1}, command: []string{"bash", "-c"}, real: []string{"bash", "-c"}},
	}
}

type tableShell struct {
	spec          Spec
	command, real []string
}

// tableCase is a command, and what it does.
type tableCase struct {
	// command is printed after "$ ", further lines after "> ".
	command string
	// ours is stdout after "| ", stderr after "! ", and after "= " the exit status if it
	// is not 0. A line that does not end has \c behind it.
	ours string
	// real is what the real one does, printed after "~ " if that is something else. A
	// comment before the command says why it stays so.
	real string
}

func (c *tableCase) String() string {
	text := fmt.Sprintf("$ %s\n%s", strings.ReplaceAll(c.command, "\n", "\n> "), c.ours)
	if c.real == c.ours {
		return text
	}
	for line := range strings.Lines(cmp.Or(c.real, "= 0\n")) {
		text += "~ " + line
	}
	return text
}

// readTable reads a file of cases with empty lines between them. Lines that begin
// with # are comments.
func readTable(t testing.TB, file string) (cases []*tableCase) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		last := len(cases) - 1
		switch {
		case line == "" || mark == "#":
		case mark == "$":
			cases = append(cases, &tableCase{command: rest})
		case last < 0:
			t.Fatalf("%s:%d: %q: want '$ ' and a command first", file, n+1, line)
		case mark == ">":
			cases[last].command += "\n" + rest
		case mark == "|" || mark == "!" || mark == "=":
			cases[last].ours += line + "\n"
		case mark == "~":
			cases[last].real += rest + "\n"
		default:
			t.Fatalf("%s:%d: %q: want a line that begins with one of #, $, >, |, !, = and ~", file, n+1, line)
		}
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", file)
	}
	for _, c := range cases {
		if c.real == "= 0\n" {
			c.real = ""
		} else {
			c.real = cmp.Or(c.real, c.ours)
		}
	}
	return cases
}

// tableOutput is how a table shows what a command did.
func tableOutput(stdout, stderr string, code int32) string {
	var b strings.Builder
	// After busybox's banner come its version, which differs, and its help.
	if i := strings.Index(stderr, "BusyBox v"); i >= 0 {
		stderr = stderr[:i] + "BusyBox …\n"
	}
	for _, stream := range []struct{ mark, text string }{{"| ", stdout}, {"! ", stderr}} {
		for line := range strings.Lines(stream.text) {
			whole, ended := strings.CutSuffix(line, "\n")
			b.WriteString(stream.mark + readable(whole))
			if !ended {
				b.WriteString(`\c`)
			}
			b.WriteString("\n")
		}
	}
	if code != 0 {
		fmt.Fprintf(&b, "= %d\n", code)
	}
	return b.String()
}

// readable shows bytes that an editor would not.
func readable(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	return strings.NewReplacer(`\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// TestTables runs every command of testdata/tables in a container. They touch no
// file outside of their working directory, and look at no clock.
func TestTables(t *testing.T) {
	eachTable(t, func(t *testing.T, shell, file string) {
		for _, c := range readTable(t, file) {
			got := *c
			got.ours = simulatedOutput(t, tableShells()[shell], c.command)
			if diff := gocmp.Diff(c.String(), got.String()); got.ours != c.ours {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	})
}

// TestTablesAreTrue runs the same commands with Debian's own busybox, dash, bash, mawk
// and GNU tools. -tables.update writes what these print, and what ours print.
func TestTablesAreTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it starts 2,000 processes")
	}
	needDebian(t)
	obeySignals(t)
	applets := busyboxPath(t)
	eachTable(t, func(t *testing.T, shell, file string) {
		path := "/usr/bin:/bin"
		if shell == "busybox" {
			path = applets
		}
		cases := readTable(t, file)
		for _, c := range cases {
			was := *c
			c.real = realOutput(t, path, append(slices.Clone(tableShells()[shell].real), c.command))
			if *updateTables {
				c.ours = simulatedOutput(t, tableShells()[shell], c.command)
			} else if was.real != c.real {
				t.Errorf("%s (-table +real):\n%s", file, gocmp.Diff(was.String(), c.String()))
			}
		}
		if *updateTables {
			writeTable(t, file, cases)
		}
	})
}

func eachTable(t *testing.T, test func(t *testing.T, shell, file string)) {
	for _, shell := range slices.Sorted(maps.Keys(tableShells())) {
		files, err := filepath.Glob(filepath.Join("testdata/tables", shell, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("tables of %s: %v", shell, err)
		}
		for _, file := range files {
			t.Run(shell+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { test(t, shell, file) })
		}
	}
}

func simulatedOutput(t *testing.T, shell tableShell, command string) string {
	t.Helper()
	spec := shell.spec
	spec.Command, spec.WorkingDir = append(slices.Clone(shell.command), command), "/tmp"
	r := runFor(t, spec, time.Hour)
	return tableOutput(r.stdout, r.stderr, r.code)
}

// writeTable puts the cases into a file in the place of those that are there.
func writeTable(t *testing.T, file string, cases []*tableCase) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		switch line[0] {
		case '#', '\n':
			out.WriteString(line)
		case '$':
			out.WriteString(cases[0].String())
			cases = cases[1:]
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// obeySignals lets commands begin with the usual effect of signals: a shell cannot trap
// those that were ignored when it began, as nohup and & do. What a program catches is
// reset in those that it starts.
func obeySignals(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(caught) })
}

// needDebian skips where the machine is no Debian of the release that our images
// are of: others print other texts.
func needDebian(t *testing.T) {
	t.Helper()
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !regexp.MustCompile(`(?m)^ID=debian$`).Match(release) || !regexp.MustCompile(`(?m)^VERSION_ID="12"$`).Match(release) {
		t.Skip("this machine is no Debian 12")
	}
	for _, tool := range []string{"busybox", "bash", "dash", "mawk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s on this machine; .ci/run installs it", tool)
		}
	}
}

// busyboxPath is a folder with all applets of the machine's busybox, which it would
// otherwise look for on the PATH.
func busyboxPath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("busybox", "--install", "-s", dir).CombinedOutput(); err != nil {
		t.Fatalf("busybox --install -s: %v\n%s", err, out)
	}
	return dir
}

func realOutput(t *testing.T, path string, argv []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	real, err := exec.LookPath(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), real, argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, t.TempDir()
	cmd.Args[0], cmd.Env = argv[0], []string{"PATH=" + path, "HOME=/root"}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", argv, err)
	}
	return tableOutput(out.String(), errs.String(), int32(cmd.ProcessState.ExitCode()))
}
