package shell

import (
	"errors"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// The bounds of scripts.
const (
	scriptMax = 1 << 20 // bytes
	nestMax   = 400     // brackets and compound commands within each other
	cacheMax  = 512     // scripts kept
	cachedMax = 16 << 10
)

// Cache keeps parsed scripts, so that many containers of one script parse it
// once. It is not safe for concurrent use.
type Cache struct{ scripts map[cacheKey]*script }

type cacheKey struct {
	text  string
	posix bool
}

// script is a parsed script: the statements before an error, and the error.
type script struct {
	stmts []*syntax.Stmt
	err   error
	grows map[*syntax.Word][]*syntax.ParamExp // ${x//a/b} by the words they are in
}

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{scripts: make(map[cacheKey]*script)} }

var errNesting = errors.New("too deeply nested")

func (c *Cache) parse(text string, d Dialect) *script {
	key := cacheKey{text, d == Dash}
	if s, ok := c.scripts[key]; ok {
		return s
	}
	s := parse(text, d)
	if len(text) <= cachedMax {
		if len(c.scripts) >= cacheMax {
			clear(c.scripts)
		}
		c.scripts[key] = s
	}
	return s
}

func parse(text string, d Dialect) *script {
	s := &script{}
	if len(text) > scriptMax || tooDeep(text) {
		s.err = errNesting
		return s
	}
	lang := syntax.LangBash
	if d == Dash {
		lang = syntax.LangPOSIX
	}
	// The loop has no break: after an error the parser's iterator may go on,
	// and panics if it was told to stop (mvdan.cc/sh v3.14.1, "0&0\xff").
	for stmt, err := range syntax.NewParser(syntax.Variant(lang)).StmtsSeq(strings.NewReader(text)) {
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
			s.findGrowth(stmt)
			s.stmts = append(s.stmts, stmt)
		}
	}
	if s.err == nil {
		return s
	}
	if m := unclosed.FindStringSubmatch(s.err.Error()); m != nil && !strings.HasSuffix(text, "\n"+m[1]+"\n") {
		return parse(text+"\n"+m[1]+"\n", d) // the end of the script ends it
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

// findGrowth notes the words whose expansion may be far larger than what goes
// into it.
func (s *script) findGrowth(stmt *syntax.Stmt) {
	syntax.Walk(stmt, func(n syntax.Node) bool {
		word, ok := n.(*syntax.Word)
		if !ok {
			return true
		}
		syntax.Walk(word, func(n syntax.Node) bool {
			if pe, ok := n.(*syntax.ParamExp); ok && pe.Repl != nil {
				if s.grows == nil {
					s.grows = make(map[*syntax.Word][]*syntax.ParamExp)
				}
				s.grows[word] = append(s.grows[word], pe)
			}
			return true
		})
		return true
	})
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

// nestWords open and close compound commands.
var nestWords = regexp.MustCompile(`\b(if|while|until|for|case|select|time|fi|done|esac|coproc|function)\b|[!&|({\[)}\]` + "`" + `\n]|\$|\\`)

// tooDeep tells, before the parser recurses, whether a script may be nested
// deeper than any real one. It counts generously: quotes do not matter.
func tooDeep(text string) bool {
	depth, run, ticks := 0, 0, 0
	for _, at := range nestWords.FindAllStringIndex(text, -1) {
		switch word := text[at[0]:at[1]]; word {
		case "if", "while", "until", "for", "case", "select", "(", "{", "[", "time", "coproc", "function":
			depth++
		case "fi", "done", "esac", ")", "}", "]":
			depth = max(depth-1, 0)
		case "!", "&", "|", "$", "\\":
			run++
		case "`":
			ticks++
		case "\n":
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

// syntaxError returns a parse error in the dialect's words and its line.
func syntaxError(err error, d Dialect) (text string, line uint) {
	var perr syntax.ParseError
	if !errors.As(err, &perr) {
		var lerr syntax.LangError
		if errors.As(err, &lerr) {
			return lowerFor(d, "syntax error: unexpected "+lerr.Feature), lerr.Pos.Line()
		}
		return lowerFor(d, "syntax error: "+err.Error()), 1
	}
	text = perr.Text
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

// lowerFor gives an ash message the form of the other dialects.
func lowerFor(d Dialect, s string) string {
	if d == Dash {
		return "Syntax error: " + strings.TrimPrefix(s, "syntax error: ")
	}
	return s
}
