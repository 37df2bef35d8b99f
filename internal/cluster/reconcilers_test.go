package cluster

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestTheFidelityPageSaysWhichControllersRun, each by the shortest name that --controllers
// takes.
func TestTheFidelityPageSaysWhichControllersRun(t *testing.T) {
	page, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(page), "\n| which run | ")
	row, _, _ = strings.Cut(row, " |")
	row, _, _ = strings.Cut(row, ". ")
	var want []string
	for _, c := range controllers() {
		want = append(want, cmp.Or(c.alias, c.name))
	}
	slices.Sort(want)
	if diff := gocmp.Diff(want, strings.Split(row, ", ")); diff != "" {
		t.Errorf("the row \"which run\" of docs/fidelity.md (-controllers +row):\n%s", diff)
	}
}

// TestEveryControllerOfUpstreamRunsOrIsListed: each has a name for --controllers, or a row
// of docs/fidelity.md that says what is missing.
func TestEveryControllerOfUpstreamRunsOrIsListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadFile("testdata/controllers.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n### Controllers of kube-controller-manager that do not run\n")
	table, _, _ = strings.Cut(table, "\n## ")
	listed := map[string]bool{}
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, name := range regexp.MustCompile(`[a-z]+(-[a-z]+)*-controller`).FindAllString(first, -1) {
			listed[name] = true
		}
	}
	for name := range strings.Lines(string(names)) {
		name = strings.TrimSpace(name)
		runs := slices.ContainsFunc(controllers(), func(c controller) bool { return c.name == name })
		switch {
		case strings.HasPrefix(name, "#"):
		case runs == listed[name]:
			t.Errorf("%s: it runs: %v, and docs/fidelity.md lists it as missing: %v", name, runs, listed[name])
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/fidelity.md lists %s, which kube-controller-manager has not", name)
	}
}
