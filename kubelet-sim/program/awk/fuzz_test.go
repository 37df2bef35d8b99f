package awk

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// errOver ends a program that has had enough.
var errOver = errors.New("over")

// host counts what a program takes.
type host struct {
	steps  int
	memory int64
	out    strings.Builder
}

func (h *host) Write(b []byte) (int, error) {
	h.Step(len(b) / 16)
	return h.out.Write(b)
}

func (h *host) Step(n int) {
	if h.steps += n; h.steps > 20_000 {
		panic(errOver)
	}
}

func (h *host) Charge(n int64) {
	if h.memory += n; h.memory > 4<<20 {
		panic(errOver)
	}
}

func (h *host) Now() time.Time { return time.Unix(0, 0) }
func (h *host) Random() uint64 { return 4 }

func (h *host) Open(string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("a b c\n1 2 3\n\nx:y z\n")), nil
}

func (h *host) Create(string, bool) (io.WriteCloser, error) { return nil, errors.New("no") }

func (h *host) Shell(string, []byte, *[]byte, int) int { return 1 }

// try runs a program until it ends or is over its bounds.
func try(source string) (out string, code int, over bool, err error) {
	h := &host{}
	program, err := Parse(source, &host{steps: -1 << 30})
	if err != nil {
		return "", 2, false, err
	}
	defer func() {
		if r := recover(); r != nil {
			if r != errOver {
				panic(r)
			}
			over = true
		}
	}()
	code, err = Run(program, Config{Args: []string{"awk"}}, h)
	return h.out.String(), code, false, err
}

// FuzzRun runs any text as a program: nothing may crash, and everything must end.
func FuzzRun(f *testing.F) {
	for _, source := range []string{
		`{ print $1, NF }`, `BEGIN { s = "x"; while (1) s = s s }`, `function f(n, a) { a[n] = n; return n < 1 ? 0 : f(n-1, a) } BEGIN { print f(9) }`,
		`/a/,/x/ { gsub(/[a-c]+/, "<&>"); n += split($0, p, ":") } END { for (k in p) print k, p[k], n | "sort" }`,
		`BEGIN { printf "%5.2f|%-4s|%c|%x\n", 3.14159, "ab", 65, 255; "date" | getline d; getline; exit 3 }`,
		`NR % 2 == 0 { $3 = ""; NF = 2; print; next } !($1 in seen) { seen[$1]++; delete seen["a"] }`,
		`BEGIN { a["x", 1] = 2; if (("x", 1) in a) print length(a), substr("hello", 2, 3), index("abc", "c"), match("foo", /o+/) }`,
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 2048 {
			return // longer than a program of interest
		}
		_, _, _, _ = try(source)
	})
}

func TestBounds(t *testing.T) {
	for name, source := range map[string]string{
		"a loop":                   `BEGIN { while (1); }`,
		"a string that doubles":    `BEGIN { s = "x"; while (1) s = s s }`,
		"doubling without a loop":  `BEGIN { s = "xxxxxxxx"; ` + strings.Repeat("s = s s; ", 100) + `}`,
		"doubling in parameters":   `function f(s) { return f(s s) } BEGIN { f("x") }`,
		"doubling in a result":     `function f(n) { return n == 0 ? "x" : f(n - 1) f(n - 1) } BEGIN { f(40) }`,
		"doubling in one line":     `BEGIN { x = (a = "xxxx") (b = a a) (c = b b) (d = c c); while (1) { a = d d; d = a a } }`,
		"an array":                 `BEGIN { while (1) a[i++] }`,
		"keys":                     `BEGIN { s = "k"; while (1) { s = s s; a[s] } }`,
		"replacement":              `BEGIN { s = "xxxxxxxx"; while (1) gsub(/x/, s, s) }`,
		"the record":               `BEGIN { $0 = "xx"; while (1) $0 = $0 $0 }`,
		"fields":                   `BEGIN { s = "x"; while (1) { s = s s; $(++i) = s } }`,
		"a format":                 `BEGIN { while (1) s = s sprintf("%9999999d", 1) }`,
		"what a command will read": `BEGIN { while (1) print "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" | "cat" }`,
	} {
		t.Run(name, func(t *testing.T) {
			out, _, over, err := try(source)
			if !over {
				t.Errorf("it ended with %q, %v", out, err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for source, want := range map[string]string{
		"{":                                       "cmd. line:1: unexpected end of the program",
		"BEGIN { print nosuch(1) }":               `cmd. line:1: function "nosuch" is not defined`,
		"BEGIN {\n print 1/0 }":                   "Division by zero",
		"function f() { f() } BEGIN { f() }":      "function call nesting too deep",
		"BEGIN { $(-1) = 2 }":                     "attempt to access field -1",
		"BEGIN { a[1]; a = 2 }":                   "array used as a variable",
		"BEGIN { x = " + strings.Repeat("(", 999): "cmd. line:1: nested too deep",
	} {
		_, code, over, err := try(source)
		if over || err == nil || err.Error() != want || code != 2 {
			t.Errorf("%.40q: code %d, error %v, want %q", source, code, err, want)
		}
	}
}
