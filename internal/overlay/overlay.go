// Package overlay lets tests compile files of upstream's together with ours.
//
// The files come out of the module cache and lie in this repository for the
// compiler only (go test -overlay): nothing of upstream's is ever written here.
package overlay

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ModuleDir returns where a module that go.mod requires is in the module cache.
func ModuleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// Read returns the text of a file.
func Read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Sources returns the Go files of a folder, those of its tests or the others.
func Sources(t *testing.T, dir string, tests bool) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range all {
		if strings.HasSuffix(file, "_test.go") == tests {
			out = append(out, file)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no such Go files", dir)
	}
	return out
}

// Overlay is what the compiler is to see. The paths at which files are laid, and
// the sources if they are not absolute, begin at the folder of the test.
type Overlay struct {
	work    string
	replace map[string]string
	// texts counts the files that LayText has written.
	texts int
	// imports are pairs for strings.NewReplacer.
	imports []string
	// required are the folders of modules whose requirements the build has too.
	required []string
}

// New returns an Overlay that lays nothing yet.
func New(t *testing.T) *Overlay { return &Overlay{work: t.TempDir(), replace: map[string]string{}} }

// Lay lets the compiler find the file source at path.
func (o *Overlay) Lay(t *testing.T, path, source string) {
	t.Helper()
	// To be looked at here makes it one of the files that go test caches by.
	if _, err := os.Stat(source); err != nil {
		t.Fatal(err)
	}
	o.replace[absolute(t, path)] = absolute(t, source)
}

// LayText lets the compiler find text at path.
func (o *Overlay) LayText(t *testing.T, path, text string) {
	t.Helper()
	o.texts++
	source := filepath.Join(o.work, fmt.Sprintf("%d.go", o.texts))
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Lay(t, path, source)
}

// Redirect lets the packages that are laid from now on import the package to in
// the place of from.
func (o *Overlay) Redirect(from, to string) {
	o.imports = append(o.imports, strconv.Quote(from), strconv.Quote(to))
}

// Require lets the build use what the module in folder dir requires, in addition.
func (o *Overlay) Require(t *testing.T, dir string) {
	t.Helper()
	o.required = append(o.required, absolute(t, dir))
}

// LayPackage lays the package in folder from, with its tests, at folder to. Its
// functions and methods that standIns names are renamed, so that a file laid
// beside it can have others under these names. It returns the names of the tests.
func (o *Overlay) LayPackage(t *testing.T, from, to string, standIns ...string) (tests []string) {
	t.Helper()
	o.LaySources(t, from, to, standIns...)
	imports := strings.NewReplacer(o.imports...)
	for _, file := range Sources(t, from, true) {
		text := imports.Replace(Read(t, file))
		o.LayText(t, filepath.Join(to, filepath.Base(file)), text)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			tests = append(tests, m[1])
		}
	}
	return tests
}

// LaySources is LayPackage without the tests, which the package need not have.
func (o *Overlay) LaySources(t *testing.T, from, to string, standIns ...string) {
	t.Helper()
	named := regexp.MustCompile(`(?m)^(func (?:\(\w+ \*?\w+\) )?)(` + strings.Join(standIns, "|") + `)\(`)
	imports := strings.NewReplacer(o.imports...)
	for _, file := range Sources(t, from, false) {
		text := Read(t, file)
		if len(standIns) > 0 {
			text = named.ReplaceAllString(text, "${1}upstream_$2(")
		}
		o.LayText(t, filepath.Join(to, filepath.Base(file)), imports.Replace(text))
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Build compiles the tests of a package and returns the binary. The package's
// folder need not be there but for the compiler.
func (o *Overlay) Build(t *testing.T, pkg string) (binary string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		t.Fatal(err)
	}
	list, binary := filepath.Join(o.work, "overlay.json"), filepath.Join(o.work, "overlaid.test")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	// Not `go test`, which wants to run in the package's folder. Nobody debugs it: without
	// what a debugger needs the linker takes half the time.
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-mod=mod", "-modfile", o.modfile(t),
		"-overlay", list, "-o", binary, pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("go test -c %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// modfile returns a copy of go.mod for go to change: upstream's tests import
// packages, all of modules that go.sum knows, that kubesim does not.
func (o *Overlay) modfile(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	from := filepath.Dir(strings.TrimSpace(string(out)))
	mod, sum := Read(t, filepath.Join(from, "go.mod")), Read(t, filepath.Join(from, "go.sum"))
	for _, dir := range o.required {
		for _, block := range regexp.MustCompile(`(?ms)^require \(.*?^\)`).FindAllString(Read(t, filepath.Join(dir, "go.mod")), -1) {
			mod += block + "\n"
		}
		sum += Read(t, filepath.Join(dir, "go.sum"))
	}
	for name, text := range map[string]string{"go.mod": mod, "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(o.work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(o.work, "go.mod")
}

// Run runs a binary that Build returned and returns what it printed; the test
// fails if it does.
func Run(t *testing.T, binary string, args ...string) (output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-test.v"}, args...)...)
	// Upstream reads a schedule without a time zone in that of the machine.
	cmd.Env = append(cmd.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
