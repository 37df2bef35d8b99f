package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// mayNotCall are functions that work on data of any size without an account of it,
// and what to call instead. The packages that own them may.
func mayNotCall() map[string]string {
	return map[string]string{
		"regexp.Compile":     "match.Compile",
		"regexp.MustCompile": "match.Compile, for what is no constant",
		"regexp.MatchString": "match.Compile",
		"path.Match":         "match.CompileGlob",
		"filepath.Match":     "match.CompileGlob",
		"pattern.Regexp":     "match.CompileGlob",
		"expand.Fields":      "Shell.fields",
		"expand.FieldsSeq":   "Shell.fields",
		"expand.Literal":     "Shell.literal",
		"expand.Pattern":     "Shell.pattern",
		"expand.Document":    "Shell.document",
		"expand.Arithm":      "Shell.arithmetic",
		"expand.ReadFields":  "Shell.readFields",
		"FS().ReadFile":      "Proc.Contents or Proc.ReadFile",
		"FS().ReadDir":       "Proc.ReadDir",
	}
}

// TestWorkGoesThroughTheMeter looks for calls around it.
func TestWorkGoesThroughTheMeter(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		switch dir := filepath.Dir(file); dir {
		case "match", "kernel", "image": // image reads names of images, which the API bounds
			return nil
		case "server": // its answers are given outside of every process
			if base := filepath.Base(file); base == "web.go" || base == "fileserver.go" {
				return nil
			}
		}
		return checkCalls(t, file)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkCalls(t *testing.T, file string) error {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := calledName(call.Fun)
		instead := mayNotCall()[name]
		if instead == "" {
			return true
		}
		if _, constant := call.Args[0].(*ast.BasicLit); constant && name == "regexp.MustCompile" {
			return true
		}
		if file == filepath.Join("applet", "tar.go") && name == "path.Match" || file == filepath.Join("applet", "httpd.go") {
			return true // bounded by PATH_MAX, and accounted for; answered outside of every process
		}
		t.Errorf("%v: %s: use %s", set.Position(call.Pos()), name, instead)
		return true
	})
	return nil
}

// calledName is package.Function, or FS().Method.
func calledName(f ast.Expr) string {
	s, ok := f.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	switch x := s.X.(type) {
	case *ast.Ident:
		return x.Name + "." + s.Sel.Name
	case *ast.CallExpr:
		if inner, ok := x.Fun.(*ast.SelectorExpr); ok && inner.Sel.Name == "FS" {
			return "FS()." + s.Sel.Name
		}
	}
	return ""
}
