package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cases are the texts of all cases in the functions of a package whose names
// match: what a registry knows that is a switch.
func cases(t *testing.T, dir string, in func(function string) bool) []string {
	t.Helper()
	var names []string
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !in(f.Name.Name) {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CaseClause:
					for _, x := range n.List {
						names = append(names, caseText(x)...)
					}
				case *ast.IfStmt:
					if cond, ok := n.Cond.(*ast.BinaryExpr); ok && cond.Op == token.EQL {
						names = append(names, caseText(cond.Y)...)
					}
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// caseText is a case's string, or the name of its constant.
func caseText(x ast.Expr) []string {
	switch x := x.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(x.Value); err == nil {
			return []string{s}
		}
	case *ast.SelectorExpr:
		return []string{x.Sel.Name}
	}
	return nil
}

// builtinNames are those of every shell.
func builtinNames(t *testing.T) []string {
	return slices.DeleteFunc(cases(t, "shell", func(f string) bool { return f == "builtins" || f == "moreBuiltins" }), notAWord)
}

// appletNames are those of every family.
func appletNames(t *testing.T) []string {
	return cases(t, "applet", func(f string) bool { return strings.HasSuffix(f, "Family") })
}

// serverNames are the programs that are not simulated step by step.
func serverNames(t *testing.T) []string {
	return cases(t, "server", func(f string) bool { return f == "find" })
}

// awkNames are the functions of awk.
func awkNames(t *testing.T) []string {
	return cases(t, "awk", func(f string) bool { return f == "builtin" || f == "plain" || f == "extra" })
}

// notAWord is for what is not the name of a command.
func notAWord(s string) bool {
	return s == "" || strings.ToUpper(s[:1]) != strings.ToLower(s[:1]) && s[0] < 'a'
}
