package scenario

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryStepHasATitle: the timeline tells a step by a title of its own, or by its action
// and its target.
func TestEveryStepHasATitle(t *testing.T) {
	source, err := os.ReadFile("act.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\nfunc (s *step) title() string {\n")
	body, _, ok := strings.Cut(body, "\n}\n")
	if !ok {
		t.Fatal("act.go has no title of a step: look for it where it is now")
	}
	var own []string
	for _, m := range regexp.MustCompile(`case "(\w+)":`).FindAllStringSubmatch(body, -1) {
		own = append(own, m[1])
	}
	for _, a := range actions() {
		if !slices.Contains(own, a.name) && !a.ref {
			t.Errorf("step %s has no title, and no target that would tell it: add a case to step.title in act.go", a.name)
		}
	}
	for _, name := range own {
		if !slices.ContainsFunc(actions(), func(a action) bool { return a.name == name }) {
			t.Errorf("step.title knows %s, which is no step", name)
		}
	}
}
