package cluster

import (
	"cmp"
	"os"
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
