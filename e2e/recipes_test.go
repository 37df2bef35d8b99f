package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/overlay"
)

// section is what docs/architecture.md has under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(overlay.Read(t, "../docs/architecture.md"), "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	if !ok {
		t.Fatalf("docs/architecture.md has no section %q", heading)
	}
	return text
}

// repositoryFunctions are all functions of the repository, as package.Type.Method or
// package.Function, tests too.
func repositoryFunctions(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // testdata of a compiler
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				all[file.Name.Name+"."+receiver(f)+f.Name.Name] = true
				if strings.HasPrefix(f.Name.Name, "Test") {
					all[f.Name.Name] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// receiver is the type of a method with a dot behind it.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	name, ok := typ.(*ast.Ident)
	if !ok {
		return ""
	}
	return name.Name + "."
}

// TestTheWayOfAJobIsThere: the functions that docs/architecture.md lists exist, and none is
// listed twice.
func TestTheWayOfAJobIsThere(t *testing.T) {
	all, seen := repositoryFunctions(t), map[string]bool{}
	for line := range strings.Lines(section(t, "The way of one Job, as a list of functions")) {
		if line[0] < '1' || line[0] > '9' {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z]+\\.[\\w.]+)`").FindAllStringSubmatch(line, -1) {
			if !all[m[1]] {
				t.Errorf("%s is listed, and there is no such function", m[1])
			}
			if seen[m[1]] {
				t.Errorf("%s is listed twice", m[1])
			}
			seen[m[1]] = true
		}
	}
	if len(seen) < 30 {
		t.Errorf("the list has %d functions: does this test still read it?", len(seen))
	}
}

// TestRecipes: the paths and the tests that the recipes name exist.
func TestRecipes(t *testing.T) {
	text, all := section(t, "Recipes"), repositoryFunctions(t)
	for _, what := range []string{"resource", "controller", "admission plugin", "applet", "image", "field of PodScript", "step of scenarios", "subcommand", "metric"} {
		if !strings.Contains(text, "\n### Add a "+what+"\n") && !strings.Contains(text, "\n### Add an "+what+"\n") {
			t.Errorf("there is no recipe for a %s", what)
		}
	}
	for _, m := range regexp.MustCompile("`([\\w./-]+/[\\w./-]+)`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("a recipe leads to %s, which is not there", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1) {
		if !all[m[1]] {
			t.Errorf("a recipe names %s, and there is no such test", m[1])
		}
	}
}

// TestEveryMetricIsDocumented: a package of controllers that registers metrics is in a row
// of docs/fidelity.md.
func TestEveryMetricIsDocumented(t *testing.T) {
	called := map[string]string{"job": "Job", "ttlafterfinished": "TTL", "nodelifecycle": "node-lifecycle", "tainteviction": "taint-eviction", "cronjob": "CronJob"}
	var rows string
	for line := range strings.Lines(overlay.Read(t, "../docs/fidelity.md")) {
		if strings.HasPrefix(line, "| metrics of ") {
			rows += line
		}
	}
	files, err := filepath.Glob("../controllers/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no controllers: ", err)
	}
	for _, file := range files {
		// These are what Pods use, not what a controller tells of itself.
		text := strings.NewReplacer(`"k8s.io/metrics/pkg/apis/metrics"`, "", `"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"`, "").Replace(overlay.Read(t, file))
		if strings.HasSuffix(file, "_test.go") || !strings.Contains(text, "/metrics\"\n") {
			continue
		}
		name := filepath.Base(filepath.Dir(file))
		if words := called[name]; !strings.Contains(rows, name) && (words == "" || !strings.Contains(rows, words)) {
			t.Errorf("%s registers metrics, and no row \"metrics of …\" of docs/fidelity.md tells of %s", file, name)
		}
	}
}
