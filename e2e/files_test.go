package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// callsMin is how many calls between its files make a package one that has an order to be
// read in: in one with fewer, a single call would decide.
const callsMin = 100

// TestFilesCallDownwards holds a promise of docs/architecture.md: the files of a package can
// be read in an order in which fewer than one call in ten leads back up.
func TestFilesCallDownwards(t *testing.T) {
	t.Parallel()
	exports, ours := exported(t)
	for _, p := range ours {
		calls := callsBetween(t, p, exports)
		total := 0
		for _, to := range calls {
			for _, n := range to {
				total += n
			}
		}
		order := readingOrder(calls)
		if up := upwards(calls, order); total >= callsMin && 10*up >= total {
			names := make([]string, len(order))
			for i, file := range order {
				names[i] = p.GoFiles[file]
			}
			t.Errorf("%s: %d of %d calls between files lead up in the best order, %s: move what many call into a file below them", p.folder(), up, total, strings.Join(names, " "))
		}
	}
}

// exported lists where the compiled packages are, and the packages of this module.
func exported(t *testing.T) (exports map[string]string, ours []compiled) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "./...")
	list.Dir, list.Stderr = "..", os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports = map[string]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p compiled
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return exports, ours
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
}

// compiled is a package of which the compiler has written what it exports.
type compiled struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

func (p compiled) folder() string { return strings.TrimPrefix(p.ImportPath, module) }

// callsBetween counts, by the places in p.GoFiles, how often a function or method of one file
// is named in another.
func callsBetween(t *testing.T, p compiled, exports map[string]string) [][]int {
	t.Helper()
	fset, place := token.NewFileSet(), map[string]int{}
	var files []*ast.File
	for i, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files, place[name] = append(files, file), i
	}
	open := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s is not compiled", path)
		}
		return os.Open(exports[path])
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", open)}
	pkg, err := config.Check(p.ImportPath, fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	calls := make([][]int, len(files))
	for i := range calls {
		calls[i] = make([]int, len(files))
	}
	for name, used := range info.Uses {
		f, ok := used.(*types.Func)
		if !ok || f.Pkg() != pkg {
			continue
		}
		if receiver := f.Signature().Recv(); receiver != nil && types.IsInterface(receiver.Type()) {
			continue
		}
		from, to := fset.Position(name.Pos()).Filename, fset.Position(f.Origin().Pos()).Filename
		if from != to {
			calls[place[filepath.Base(from)]][place[filepath.Base(to)]]++
		}
	}
	return calls
}

// upwards counts the calls that lead up in an order of the files.
func upwards(calls [][]int, order []int) (n int) {
	for i, above := range order {
		for _, below := range order[i+1:] {
			n += calls[below][above]
		}
	}
	return n
}

// readingOrder is the best order of many in each of which no file can be moved to a better
// place.
func readingOrder(calls [][]int) []int {
	random := rand.New(rand.NewSource(1))
	var best []int
	for range 60 {
		order := random.Perm(len(calls))
		for moved := true; moved; {
			moved = false
			for i := range order {
				if j := betterPlace(calls, order, i); j != i {
					file := order[i]
					order = slices.Insert(slices.Delete(order, i, i+1), j, file)
					moved = true
				}
			}
		}
		if best == nil || upwards(calls, order) < upwards(calls, best) {
			best = slices.Clone(order)
		}
	}
	return best
}

// betterPlace is where the file at place i would have the fewest calls up.
func betterPlace(calls [][]int, order []int, i int) int {
	file, place, best := order[i], i, 0
	for j, gain := i-1, 0; j >= 0; j-- {
		if gain += calls[order[j]][file] - calls[file][order[j]]; gain < best {
			place, best = j, gain
		}
	}
	for j, gain := i+1, 0; j < len(order); j++ {
		if gain += calls[file][order[j]] - calls[order[j]][file]; gain < best {
			place, best = j, gain
		}
	}
	return place
}

// TestReadingOrder judges the judge.
func TestReadingOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		calls [][]int
		up    int
	}{
		"a chain has an order":                  {[][]int{{0, 0, 0}, {3, 0, 0}, {1, 2, 0}}, 0},
		"of two that call each other, one up":   {[][]int{{0, 5}, {2, 0}}, 2},
		"a ring is broken where it is thinnest": {[][]int{{0, 4, 0}, {0, 0, 3}, {1, 0, 0}}, 1},
	} {
		if up := upwards(tc.calls, readingOrder(tc.calls)); up != tc.up {
			t.Errorf("%s: %d calls lead up, want %d", name, up, tc.up)
		}
	}
}
