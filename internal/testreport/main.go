// Command testreport reads what `go test -json` prints, from standard input, and prints
// what CI wants to see of it: a line for each package, the output of what failed, the
// slowest tests, and the skipped ones.
//
// It exits with 1 if a test failed, or if one was skipped that the file of expected
// skips does not name: a test that hides behind a tool, a variable or a flag tests nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ... | testreport FILE-OF-EXPECTED-SKIPS")
		os.Exit(2)
	}
	expected, err := readSkips(os.Args[1])
	if err == nil {
		err = report(os.Stdin, os.Stdout, expected)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
	// Elapsed is how long a test or a package took. Unit: seconds.
	Elapsed float64
}

// module is cut from the names of packages.
const module = "github.com/kubesim-dev/kubesim/"

func (e event) name() string {
	pkg := strings.TrimPrefix(e.Package, module)
	if e.Test == "" {
		return pkg
	}
	return pkg + " " + e.Test
}

// readSkips reads the tests that may be skipped: a line "PACKAGE TEST" each. A test's name
// that ends with /* stands for all of its subtests. Comments say why.
func readSkips(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var skips []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			skips = append(skips, line)
		}
	}
	return skips, nil
}

// isExpected tells whether a test may be skipped.
func isExpected(test string, expected []string) bool {
	return slices.ContainsFunc(expected, func(e string) bool {
		prefix, all := strings.CutSuffix(e, "*")
		return e == test || all && strings.HasPrefix(test, prefix)
	})
}

// slowestMax is how many tests are listed.
const slowestMax = 30

func report(in io.Reader, out io.Writer, expected []string) error {
	r := reporter{out: out, expected: expected, output: map[string]*strings.Builder{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err != nil {
			break
		}
	}
	return r.end()
}

type reporter struct {
	out      io.Writer
	expected []string
	// output is what each test has printed that has not ended, and each package.
	output map[string]*strings.Builder
	slow   []event
	// failed are tests and packages; hidden are the tests that should not have been skipped.
	failed, hidden []string
	skipped        int
}

func (r *reporter) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line) // not of go test: a tool that it runs
		return
	}
	name := e.name()
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.output[name] == nil {
			r.output[name] = &strings.Builder{}
		}
		r.output[name].WriteString(e.Output)
	case "pass", "fail", "skip":
		r.ended(e, name)
		delete(r.output, name)
	}
}

func (r *reporter) ended(e event, name string) {
	if e.Test == "" {
		if e.Action == "skip" {
			return // no test files
		}
		fmt.Fprintf(r.out, "%-4s %8.1fs %s\n", e.Action, e.Elapsed, name)
	} else {
		r.slow = append(r.slow, e)
	}
	switch e.Action {
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprint(r.out, r.said(name))
	case "skip":
		r.skipped++
		if !isExpected(name, r.expected) {
			r.hidden = append(r.hidden, name)
			fmt.Fprintf(r.out, "skipped: %s\n%s", name, r.said(name))
		}
	}
}

func (r *reporter) said(name string) string {
	if b := r.output[name]; b != nil {
		return b.String()
	}
	return ""
}

func (r *reporter) end() error {
	slices.SortStableFunc(r.slow, func(a, b event) int {
		return int(1000 * (b.Elapsed - a.Elapsed))
	})
	fmt.Fprintln(r.out, "the slowest tests, in seconds of wall time:")
	for _, e := range r.slow[:min(slowestMax, len(r.slow))] {
		fmt.Fprintf(r.out, "%8.1f %s\n", e.Elapsed, e.name())
	}
	fmt.Fprintf(r.out, "%d tests, %d of them skipped\n", len(r.slow), r.skipped)
	switch {
	case len(r.failed) > 0:
		return fmt.Errorf("failed: %s", strings.Join(r.failed, ", "))
	case len(r.hidden) > 0:
		return fmt.Errorf("skipped, but not in the list of those that may be: %s", strings.Join(r.hidden, ", "))
	case len(r.slow) == 0:
		return fmt.Errorf("no test has run")
	}
	return nil
}
