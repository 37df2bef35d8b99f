package applet

import (
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

func grepFamily(name string) Func {
	switch name {
	case "grep", "egrep", "fgrep":
		return grep
	}
	return nil
}

// basicRegexp turns a POSIX basic regular expression into Go's syntax:
// \( \) \{ \} \| \+ \? are operators, their bare forms are characters.
func basicRegexp(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '\\' && i+1 < len(s):
			i++
			if strings.IndexByte("(){}|+?", s[i]) >= 0 {
				out.WriteByte(s[i])
				continue
			}
			out.WriteString(escapedRegexp(s[i]))
		case b == '[':
			end := bracketEnd(s, i)
			out.WriteString(bracket(s[i:end]))
			i = end - 1
		case b == '*' && (i == 0 || s[i-1] == '(' || s[i-1] == '|' || i == 1 && s[0] == '^'):
			out.WriteString(`\*`)
		case strings.IndexByte("(){}|+?", b) >= 0:
			out.WriteByte('\\')
			out.WriteByte(b)
		case b == '^' && i > 0 && !strings.HasSuffix(s[:i], `\(`) && !strings.HasSuffix(s[:i], `\|`):
			out.WriteString(`\^`)
		case b == '$' && i+1 < len(s) && !strings.HasPrefix(s[i+1:], `\)`) && !strings.HasPrefix(s[i+1:], `\|`):
			out.WriteString(`\$`)
		default:
			out.WriteByte(b)
		}
	}
	return out.String()
}

// extendedRegexp turns a POSIX extended regular expression into Go's syntax.
func extendedRegexp(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			out.WriteString(escapedRegexp(s[i]))
		case s[i] == '[':
			end := bracketEnd(s, i)
			out.WriteString(bracket(s[i:end]))
			i = end - 1
		case s[i] == '{' && (i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9') && !strings.HasPrefix(s[i+1:], ","):
			out.WriteString(`\{`)
		case s[i] == '{' && strings.HasPrefix(s[i+1:], ","):
			out.WriteString("{0")
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

func escapedRegexp(b byte) string {
	switch b {
	case '<', '>':
		return `\b`
	case 'w', 'W', 's', 'S', 'b', 'B', 'd', 'D', 'n', 't':
		return `\` + string(b)
	}
	if b >= '1' && b <= '9' {
		return `\` + string(b) // a back reference: the compiler refuses it
	}
	return regexp.QuoteMeta(string(b))
}

// classNameMax bounds the name of a class in brackets, with its colons.
const classNameMax = 32

// classEnd is how long [:name:] is that s begins with; 0 if it does not.
func classEnd(s string) int {
	if !strings.HasPrefix(s, "[:") {
		return 0
	}
	if n := strings.Index(s[:min(len(s), classNameMax)], ":]"); n > 0 {
		return n + 2
	}
	return 0
}

// bracketEnd is the end of the bracket expression that starts at i.
func bracketEnd(s string, i int) int {
	j := i + 1
	if j < len(s) && s[j] == '^' {
		j++
	}
	if j < len(s) && s[j] == ']' {
		j++
	}
	for j < len(s) && s[j] != ']' {
		if n := classEnd(s[j:]); n > 0 {
			j += n - 1
		}
		j++
	}
	return min(j+1, len(s))
}

// bracket quotes what Go would read as an escape in a bracket expression.
func bracket(s string) string {
	neg := strings.HasPrefix(s, "[^")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "["), "^")
	head := "["
	if neg {
		head = "[^"
	}
	if strings.HasPrefix(s, "]") && len(s) > 1 {
		head, s = head+`\]`, s[1:]
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch n := classEnd(s[i:]); {
		case n > 0:
			out.WriteString(s[i : i+n])
			i += n - 1
		case s[i] == '[' || s[i] == '\\' || s[i] == '&' || s[i] == '~':
			out.WriteString(`\` + string(s[i]))
		default:
			out.WriteByte(s[i])
		}
	}
	return head + out.String()
}

// grepper is one run of grep.
type grepper struct {
	c             *Call
	o             *options
	rx            *match.Regexp
	names         bool // print file names
	before, after int
	limit         int
	found         bool
}

const grepUsage = "[-HhnlLoqvsrRiwFEz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...\n\nSearch for PATTERN in FILEs (or stdin)"

func grep(c *Call) int {
	o, ok := c.parse("HhnlLoqvsrRiwxFEPGzce:f:m:A:B:C:a", map[string]byte{
		"ignore-case": 'i', "invert-match": 'v', "count": 'c', "extended-regexp": 'E', "fixed-strings": 'F', "quiet": 'q', "silent": 'q',
		"recursive": 'r', "line-number": 'n', "only-matching": 'o', "word-regexp": 'w', "regexp": 'e', "max-count": 'm', "perl-regexp": 'P',
		"files-with-matches": 'l', "no-filename": 'h', "with-filename": 'H', "no-messages": 's', "color": 'a', "line-buffered": 'a',
		"after-context": 'A', "before-context": 'B', "context": 'C', "text": 'a',
	}, grepUsage)
	if !ok {
		return 2
	}
	patterns := o.values['e']
	for _, name := range o.values['f'] {
		data, err := c.ReadFile(name, lineMax)
		if err != nil {
			c.cannotOpen(name, err)
			return 2
		}
		patterns = append(patterns, strings.TrimSuffix(string(data), "\n"))
	}
	if len(patterns) == 0 && len(o.values['f']) == 0 {
		if len(o.rest) == 0 {
			c.usage(grepUsage)
			return 2
		}
		patterns, o.rest = o.rest[:1], o.rest[1:]
	}
	g := &grepper{c: c, o: o, limit: -1}
	if err := g.compile(patterns); err != nil {
		c.fail("bad regex '%s': %v", strings.Join(patterns, "\n"), "Invalid preceding regular expression")
		return 2
	}
	return g.run()
}

func (g *grepper) compile(patterns []string) error {
	var list []string
	for _, p := range patterns {
		g.c.Work(16 * len(p))
		for line := range strings.SplitSeq(p, "\n") {
			switch {
			case g.o.has('F') || g.c.Name == "fgrep":
				line = regexp.QuoteMeta(line)
			case g.o.has('P'):
			case g.o.has('E') || g.c.Name == "egrep":
				line = extendedRegexp(line)
			default:
				line = basicRegexp(line)
			}
			list = append(list, line)
		}
	}
	expr := "(?:" + strings.Join(list, "|") + ")"
	if g.o.has('w') {
		expr = `\b` + expr + `\b`
	}
	if g.o.has('x') {
		expr = "^" + expr + "$"
	}
	if g.o.has('i') {
		expr = "(?i)" + expr
	}
	var err error
	g.rx, err = match.Compile(g.c, expr, false)
	return err
}

func (g *grepper) run() int {
	o := g.o
	n := func(flag byte) int {
		v, _ := strconv.Atoi(o.value(flag))
		return min(v, 10_000)
	}
	g.after, g.before = max(n('A'), n('C')), max(n('B'), n('C'))
	if o.has('m') {
		g.limit = n('m')
	}
	recursive := o.has('r') || o.has('R')
	files := o.rest
	if recursive && len(files) == 0 {
		files = []string{"."}
	}
	g.names = (len(files) > 1 || recursive || o.has('H')) && !o.has('h')
	if recursive {
		files = g.expand(files)
	}
	code := 0
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		r, err := g.c.open(name)
		if err != nil {
			if !o.has('s') {
				g.c.fail("%s: %v", name, err)
			}
			code = 2
			continue
		}
		err = g.file(name, r)
		_ = r.Close()
		if err != nil && err != io.EOF {
			if !o.has('s') {
				g.c.fail("%s: %v", name, err)
			}
			code = 2
		}
		if g.found && o.has('q') {
			return 0
		}
	}
	if code == 0 && !g.found {
		code = 1
	}
	return code
}

// expand replaces directories by the files below them.
func (g *grepper) expand(names []string) []string {
	var list []string
	for _, name := range names {
		_ = g.c.walkTree(name, func(path string, in fileInfo) bool {
			if in.Mode().IsRegular() {
				list = append(list, path)
			}
			return true
		})
	}
	return list
}

func (g *grepper) file(name string, r io.Reader) error {
	if name == "-" {
		name = "(standard input)"
	}
	var held []string // lines before a match
	line, count, pending, lastShown := 0, 0, 0, 0
	err := g.c.eachLine(r, func(b []byte) bool {
		line++
		g.c.StepBytes(len(b))
		text := string(b)
		if g.rx.Match(g.c, text) == g.o.has('v') {
			if pending > 0 {
				pending--
				g.show(name, line, text, '-')
				lastShown = line
			} else if g.before > 0 {
				g.c.Charge(int64(len(text)) + 16)
				if held = append(held, text); len(held) > g.before {
					g.c.Charge(-int64(len(held[0])) - 16)
					held = held[1:]
				}
			}
			return true
		}
		count++
		g.found = true
		if g.o.has('q') || g.o.has('l') || g.o.has('L') {
			return false
		}
		if !g.o.has('c') {
			if (g.before > 0 || g.after > 0) && lastShown > 0 && line-len(held) > lastShown+1 {
				g.c.print("--\n")
			}
			for i, h := range held {
				g.show(name, line-len(held)+i, h, '-')
			}
			g.match(name, line, text)
			lastShown = line
		}
		for _, h := range held {
			g.c.Charge(-int64(len(h)) - 16)
		}
		held, pending = nil, g.after
		return g.limit < 0 || count < g.limit
	})
	switch {
	case g.o.has('c'):
		if g.names {
			g.c.print(name + ":")
		}
		g.c.print(strconv.Itoa(count) + "\n")
	case g.o.has('l') && count > 0, g.o.has('L') && count == 0:
		g.c.print(name + "\n")
	}
	return err
}

func (g *grepper) match(name string, line int, text string) {
	if !g.o.has('o') {
		g.show(name, line, text, ':')
		return
	}
	g.rx.All(g.c, text, 0, func(at []int) bool {
		if at[0] < at[1] {
			g.show(name, line, text[at[0]:at[1]], ':')
		}
		return g.c.err == nil
	})
}

func (g *grepper) show(name string, line int, text string, mark byte) {
	if g.names {
		g.c.print(name + string(mark))
	}
	if g.o.has('n') {
		g.c.print(strconv.Itoa(line) + string(mark))
	}
	g.c.print(text + "\n")
}
