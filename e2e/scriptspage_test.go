package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// TestScriptsPageIsComplete fails where docs/scripts.md leaves out a step, a field of
// match or an example, and where an example does not say what it shows.
func TestScriptsPageIsComplete(t *testing.T) {
	page := overlay.Read(t, "../docs/scripts.md")
	api := overlay.Read(t, "../apiserver/apis/sim/v1alpha1/podscript.go")
	for _, name := range []string{"Step", "Match"} {
		for _, field := range jsonFields(t, api, name) {
			if !strings.Contains(page, "\n| `"+field) {
				t.Errorf("no row of docs/scripts.md begins with `%s`, a field of %s", field, name)
			}
		}
	}
	examples, err := filepath.Glob("../docs/scripts/*")
	if err != nil || len(examples) < 10 {
		t.Fatalf("examples in docs/scripts: %d, %v", len(examples), err)
	}
	for _, example := range examples {
		if name := filepath.Base(example); !strings.Contains(page, "docs/scripts/"+name) {
			t.Errorf("docs/scripts.md does not show %s", name)
		}
		text, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with a comment that says what it shows", example)
		}
	}
}

// jsonFields returns the names of a type's fields in JSON, from its source.
func jsonFields(t *testing.T, source, name string) []string {
	t.Helper()
	_, body, ok := strings.Cut(source, "\ntype "+name+" struct {\n")
	body, _, closed := strings.Cut(body, "\n}")
	if !ok || !closed {
		t.Fatalf("no type %s", name)
	}
	var fields []string
	for _, tag := range regexp.MustCompile("`json:\"(\\w+)").FindAllStringSubmatch(body, -1) {
		fields = append(fields, tag[1])
	}
	if len(fields) == 0 {
		t.Fatalf("type %s has no fields", name)
	}
	return fields
}
