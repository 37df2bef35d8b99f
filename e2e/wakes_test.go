package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryWakeHasAReason: whether mode auto moves time for a timer is decided in the
// engine, by the reason that the reconciler gives (engine.Progress, engine.Poll …). The
// compiler sees to it that nobody sets the kind of a Wake; this test sees to it that
// nobody makes one without a reason.
func TestEveryWakeHasAReason(t *testing.T) {
	files, found := token.NewFileSet(), 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || path == filepath.FromSlash("../controllers/engine")):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found++
		for _, at := range madeByHand(file) {
			t.Errorf("%s: a Wake without a reason: use one of the functions of controllers/engine/wake.go", files.Position(at))
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files, %v", found, err)
	}
}

// TestWakesMadeByHandAreFound is the test of the test.
func TestWakesMadeByHandAreFound(t *testing.T) {
	for source, want := range map[string]int{
		`import "github.com/kubesim-dev/kubesim/controllers/engine"; var w = engine.Wake{At: t}`:             1,
		`import e "github.com/kubesim-dev/kubesim/controllers/engine"; var w = []*e.Wake{{}, &e.Wake{t, 1}}`: 1,
		`import "github.com/kubesim-dev/kubesim/controllers/engine"; var w = engine.Wake{}`:                  0,
		`import "example.com/engine"; var w = engine.Wake{At: t}`:                                            0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := madeByHand(file); len(got) != want {
			t.Errorf("%d wakes are found in %s, want %d", len(got), source, want)
		}
	}
}

// madeByHand returns where a file makes a Wake that says when, but not why.
func madeByHand(file *ast.File) (at []token.Pos) {
	name := importedAs(file, module+"controllers/engine")
	if name == "" {
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || len(literal.Elts) == 0 {
			return true
		}
		if s, ok := literal.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Wake" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
				at = append(at, literal.Pos())
			}
		}
		return true
	})
	return at
}

// importedAs returns the name by which a file knows a package, "" if it does not.
func importedAs(file *ast.File, path string) string {
	for _, i := range file.Imports {
		if imported, err := strconv.Unquote(i.Path.Value); err != nil || imported != path {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return filepath.Base(path)
	}
	return ""
}
