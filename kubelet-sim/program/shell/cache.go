package shell

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// The bounds of scripts.
const (
	scriptMax = 1 << 20 // bytes
	nestMax   = 400     // brackets and compound commands within each other
	cacheMax  = 512     // scripts kept
	cachedMax = 16 << 10
	// cachedTextMax bounds the texts of all of them together. Unit: bytes.
	cachedTextMax = 256 << 10
)

// Cache keeps parsed scripts, so that many containers of one script parse it
// once. It is not safe for concurrent use.
type Cache struct {
	scripts map[cacheKey]*script
	size    int // of their texts
}

type cacheKey struct {
	text  string
	posix bool
}

// script is a parsed script: the statements before an error, and the error.
type script struct {
	stmts []*syntax.Stmt
	err   error
}

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{scripts: make(map[cacheKey]*script)} }

var errNesting = errors.New("too deeply nested")

func (c *Cache) parse(text string, d Dialect) *script {
	key := cacheKey{text, d == Dash}
	if s, ok := c.scripts[key]; ok {
		return s
	}
	s := parse(text, d, func(text string) io.Reader { return strings.NewReader(text) })
	if len(text) <= cachedMax {
		if len(c.scripts) >= cacheMax || c.size+len(text) > cachedTextMax {
			clear(c.scripts)
			c.size = 0
		}
		c.scripts[key], c.size = s, c.size+len(text)
	}
	return s
}

// parse reads a script. What the cache does not keep is accounted for as it is
// read, what it may keep in the same way whether or not it has it.
func (sh *Shell) parse(text string) *script {
	if len(text) > cachedMax {
		return parse(text, sh.dialect, func(text string) io.Reader { return &meteredText{sh.p, text} })
	}
	if len(text) > largeWord {
		sh.p.Step(len(text) / 16)
	}
	return sh.cache.parse(text, sh.dialect)
}

// meteredText is a text that costs steps to be read.
type meteredText struct {
	p    *kernel.Proc
	rest string
}

// Read implements io.Reader.
func (t *meteredText) Read(b []byte) (int, error) {
	if t.rest == "" {
		return 0, io.EOF
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	t.p.Step(1 + n/4)
	return n, nil
}

// unclosedMax bounds the here-documents that the end of a script ends: each is
// found by another reading of all of it.
const unclosedMax = 8

func parse(text string, d Dialect, open func(text string) io.Reader) *script {
	if len(text) > scriptMax || tooDeep(text) {
		return &script{err: errNesting}
	}
	parsed := decodable(text)
	s := parseToEnd(parsed, d, open)
	if parsed != text {
		s.restoreBytes()
	}
	return s
}

// parseToEnd ends the here-documents that the end of the script ends.
func parseToEnd(text string, d Dialect, open func(text string) io.Reader) (s *script) {
	for range unclosedMax {
		s = parseOnce(open(text), d)
		if s.err == nil {
			return s
		}
		m := unclosed.FindStringSubmatch(s.err.Error())
		if m == nil || strings.HasSuffix(text, "\n"+m[1]+"\n") {
			return s
		}
		text += "\n" + m[1] + "\n"
	}
	return s
}

func parseOnce(r io.Reader, d Dialect) *script {
	s := &script{}
	lang := syntax.LangBash
	if d == Dash {
		lang = syntax.LangPOSIX
	}
	// The loop has no break: after an error the parser's iterator may go on,
	// and panics if it was told to stop (mvdan.cc/sh v3.14.1, "0&0\xff").
	for stmt, err := range syntax.NewParser(syntax.Variant(lang)).StmtsSeq(r) {
		switch {
		case s.err != nil:
		case err != nil:
			s.err = err
		case nameless(stmt) != nil:
			s.err = nameless(stmt)
		default:
			if d != Bash {
				keepBraces(stmt)
			}
			s.stmts = append(s.stmts, stmt)
		}
	}
	return s
}

// nameless returns an error if stmt has a function without a name, which the parser
// takes from zsh in every dialect (mvdan.cc/sh v3.14.1, "()0").
func nameless(stmt *syntax.Stmt) (err error) {
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok && f.Name == nil {
			err = syntax.ParseError{Pos: f.Pos(), Text: "a function has no name before `)`"}
		}
		return err == nil
	})
	return err
}

var unclosed = regexp.MustCompile("unclosed here-document [`'\"]?([^`'\" ]+)[`'\"]?$")

// keepBraces makes {a,b} stand for itself, as in shells other than bash: the
// expand package knows no switch for it.
func keepBraces(stmt *syntax.Stmt) {
	escape := func(words []*syntax.Word) {
		for _, w := range words {
			for _, part := range w.Parts {
				if lit, ok := part.(*syntax.Lit); ok && strings.Contains(lit.Value, "{") {
					lit.Value = escapeBraces(lit.Value)
				}
			}
		}
	}
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			escape(n.Args)
		case *syntax.WordIter:
			escape(n.Items)
		}
		return true
	})
}

func escapeBraces(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			out.WriteByte(s[i])
			i++
		case s[i] == '{':
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// tooDeep tells, before the parser recurses, whether a script may be nested
// deeper than any real one. It counts generously: quotes do not matter.
func tooDeep(text string) bool {
	depth, run, ticks := 0, 0, 0
	for i := 0; i < len(text); i++ {
		if wordByte(text[i]) {
			start := i
			for i+1 < len(text) && wordByte(text[i+1]) {
				i++
			}
			switch text[start : i+1] {
			case "if", "while", "until", "for", "case", "select", "time", "coproc", "function":
				depth++
			case "fi", "done", "esac":
				depth = max(depth-1, 0)
			}
		}
		switch text[i] {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth = max(depth-1, 0)
		case '!', '&', '|', '$', '\\':
			run++
		case '`':
			ticks++
		case '\n':
			if ticks%2 == 0 {
				run = 0
			}
		}
		if depth > nestMax || run > 20*nestMax {
			return true
		}
	}
	return false
}

// wordByte tells whether c may be in a name.
func wordByte(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

// errorTextMax bounds what is looked at of a message of the parser, which may hold
// a part of the script. Unit: bytes.
const errorTextMax = 512

// syntaxError returns a parse error in the dialect's words and its line.
func syntaxError(err error, d Dialect) (text string, line uint) {
	var perr syntax.ParseError
	if !errors.As(err, &perr) {
		var lerr syntax.LangError
		if errors.As(err, &lerr) {
			return unsupported(d, lerr.Feature), lerr.Pos.Line()
		}
		return lowerFor(d, "syntax error: "+err.Error()), 1
	}
	text = perr.Text[:min(len(perr.Text), errorTextMax)]
	var want string
	if m := expecting.FindStringSubmatch(text); m != nil {
		want = m[1]
	}
	switch {
	case strings.Contains(text, "closing quote"):
		if d == Bash {
			return "unexpected EOF while looking for matching `" + want[:min(1, len(want))] + "'", perr.Pos.Line()
		}
		text = "unterminated quoted string"
	case perr.Incomplete && d == Bash:
		return "syntax error: unexpected end of file", perr.Pos.Line()
	case perr.Incomplete && want != "":
		text = "unexpected end of file (expecting \"" + want + "\")"
	case perr.Incomplete:
		text = "unexpected end of file"
	default:
		if m := quoted.FindStringSubmatch(text); m != nil {
			text = "unexpected \"" + m[1] + "\""
			if d == Bash {
				text = "near unexpected token `" + m[1] + "'"
				return "syntax error " + text, perr.Pos.Line()
			}
		}
	}
	return lowerFor(d, "syntax error: "+text), perr.Pos.Line()
}

var (
	expecting = regexp.MustCompile("(?:matching|closing quote|with|by|matching `[^`]*` with) [`\"]?([^`\" ]+)[`\"]?$")
	quoted    = regexp.MustCompile("[`\"]([^`\"]+)[`\"]")
)

// unsupported is what a dialect says of what only a larger shell knows.
func unsupported(d Dialect, feature string) string {
	switch feature {
	case "slicing", "search and replace":
		if d == Dash {
			return "Bad substitution"
		}
		return "syntax error: bad substitution"
	case "arrays":
		feature = `"("`
	case "herestrings":
		feature = "redirection"
	}
	return lowerFor(d, "syntax error: unexpected "+feature)
}

// lowerFor gives an ash message the form of the other dialects: dash has the token first.
func lowerFor(d Dialect, s string) string {
	if d != Dash {
		return s
	}
	s = strings.TrimPrefix(s, "syntax error: ")
	if what, ok := strings.CutPrefix(s, "unexpected "); ok {
		what, more, _ := strings.Cut(what, " (")
		s = what + " unexpected"
		if more != "" {
			s += " (" + more
		}
	}
	if strings.HasPrefix(s, "unterminated") {
		s = "U" + s[1:]
	}
	return "Syntax error: " + s
}
