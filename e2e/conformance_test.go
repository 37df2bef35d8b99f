package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// conformanceClasses are the classes that upstream's 462 conformance specs fall
// into, by what a cluster must be able to do for them, and how many there are.
func conformanceClasses() map[string]int {
	return map[string]int{"A": 119, "B": 105, "C": 153, "D1": 49, "D2": 28, "D3": 8}
}

// TestTheREADMECountsTheConformanceSpecs holds what the README says against the
// verdicts that `make conformance` expects.
func TestTheREADMECountsTheConformanceSpecs(t *testing.T) {
	passes, all := 0, map[string]bool{}
	for class, size := range conformanceClasses() {
		specs := expectedVerdicts(t, "conformance/expected/"+class+".txt")
		if len(specs) != size {
			t.Errorf("class %s has %d verdicts, want %d", class, len(specs), size)
		}
		for name, pass := range specs {
			if all[name] {
				t.Errorf("%s is in two classes", name)
			}
			all[name] = true
			if pass {
				passes++
			}
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d of upstream's 462 conformance specs", passes); !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

// TestTheSampleIsOfTheClasses: what CI runs are specs of A to C, with their verdicts. At
// least half of those that pass are among them.
func TestTheSampleIsOfTheClasses(t *testing.T) {
	passes, all := 0, map[string]bool{}
	for _, class := range []string{"A", "B", "C"} {
		for name, pass := range expectedVerdicts(t, "conformance/expected/"+class+".txt") {
			all[name] = pass
			if pass {
				passes++
			}
		}
	}
	sample := expectedVerdicts(t, "conformance/expected/sample.txt")
	for name, pass := range sample {
		if verdict, ok := all[name]; !ok || verdict != pass {
			t.Errorf("%s: the sample wants %t, its class %t (it is in A to C: %t)", name, pass, verdict, ok)
		}
	}
	if 2*len(sample) < passes {
		t.Errorf("%d specs are in the sample, of %d that pass", len(sample), passes)
	}
}

// expectedVerdicts says of each spec in a file whether it passes.
func expectedVerdicts(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	specs := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		verdict, name, ok := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case !ok || verdict != "pass" && verdict != "fail":
			t.Errorf("%s: %q: want pass or fail, and the name of a spec", file, line)
		default:
			specs[name] = verdict == "pass"
		}
	}
	return specs
}
