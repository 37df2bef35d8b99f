package shell

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// The shell expands words itself, and not by the expand package of mvdan.cc/sh,
// which it agrees with: that one cannot be interrupted, and takes time beyond any
// proportion for some values. Here whatever looks at a value accounts for that.

// piece is a part of a word after its expansion.
type piece struct {
	text   string
	quoted bool // it is not split, and has no patterns
}

// quoting is where a part of a word stands.
type quoting uint8

const (
	bare       quoting = iota // quotes are removed
	inDouble                  // between "
	inDocument                // between <<E and E
	asPattern                 // backslashes stay, for the matcher
)

// largeWord is from where on a word's own text is accounted for. Unit: bytes.
const largeWord = 256

// weigh accounts for a word, which may be as long as a script.
func (sh *Shell) weigh(w syntax.Node) {
	if n := int(w.End().Offset()) - int(w.Pos().Offset()); n > largeWord {
		sh.p.Work(2 * n)
	}
}

// text expands a word to one string.
func (sh *Shell) text(w *syntax.Word, q quoting) (string, error) {
	if w == nil {
		return "", nil
	}
	if len(w.Parts) == 1 && q == bare {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && !strings.ContainsAny(lit.Value, "\\~\x00") {
			return lit.Value, nil
		}
	}
	sh.weigh(w)
	pieces, err := sh.pieces(nil, w.Parts, q)
	if err != nil {
		return "", err
	}
	return sh.join(pieces, q)
}

// join makes one string of pieces, quoted for a pattern if q says so.
func (sh *Shell) join(pieces []piece, q quoting) (string, error) {
	size := 0
	for i, p := range pieces {
		if p.quoted && q == asPattern {
			sh.large(len(p.text))
			pieces[i].text = quotePattern(p.text)
		}
		size += len(pieces[i].text)
	}
	switch {
	case len(pieces) == 0:
		return "", nil
	case len(pieces) == 1:
		return pieces[0].text, nil
	case size > drawnMax:
		return "", errTooLarge
	}
	sh.large(size)
	var out strings.Builder
	out.Grow(size)
	for _, p := range pieces {
		out.WriteString(p.text)
	}
	return out.String(), nil
}

// large accounts for looking at a text of n bytes; short ones belong to their
// command.
func (sh *Shell) large(n int) {
	if n > largeWord {
		sh.p.Work(n)
	}
}

// quotePattern quotes what a pattern would not take as itself.
func quotePattern(s string) string {
	const special = "*?[\\!+@()|"
	if !strings.ContainsAny(s, special) {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// pieces expands the parts of a word that is not split.
func (sh *Shell) pieces(out []piece, parts []syntax.WordPart, q quoting) ([]piece, error) {
	quoted := q == inDouble
	for i, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			out = append(out, sh.literalPieces(part.Value, q, i == 0, len(parts) > 1)...)
		case *syntax.SglQuoted:
			text, err := sh.singleQuoted(part)
			if err != nil {
				return nil, err
			}
			if quoted && !part.Dollar { // in "${x:-'y'}" they are characters
				text = "'" + text + "'"
			}
			out = append(out, piece{text, true})
		case *syntax.DblQuoted:
			var err error
			if out, err = sh.pieces(out, part.Parts, inDouble); err != nil {
				return nil, err
			}
			if len(part.Parts) == 0 {
				out = append(out, piece{"", true})
			}
		default:
			text, err := sh.value(part, q)
			if err != nil {
				return nil, err
			}
			out = append(out, piece{text, quoted})
		}
	}
	return out, nil
}

// literalPieces are the plain text of a word.
func (sh *Shell) literalPieces(s string, q quoting, first, more bool) []piece {
	s, _, _ = strings.Cut(s, "\x00")
	if first && (q == bare || q == asPattern) && strings.HasPrefix(s, "~") {
		if home, rest := sh.tilde(s, more); home != "" {
			return append([]piece{{home, true}}, sh.literalPieces(rest, q, false, more)...)
		}
	}
	if q == asPattern || strings.IndexByte(s, '\\') < 0 {
		return []piece{{s, q == inDouble}}
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && escapes(s[i+1], q) {
			i++
		}
		out = append(out, s[i])
	}
	return []piece{{string(out), q == inDouble}}
}

// escapes tells whether a backslash before c is only a quote.
func escapes(c byte, q quoting) bool {
	switch q {
	case inDouble:
		return strings.IndexByte("\"\\$`", c) >= 0
	case inDocument:
		return strings.IndexByte("\\$`", c) >= 0
	}
	return true
}

func (sh *Shell) singleQuoted(part *syntax.SglQuoted) (string, error) {
	if !part.Dollar {
		return part.Value, nil
	}
	sh.large(len(part.Value))
	s, _, err := expand.Format(nil, part.Value, nil)
	s, _, _ = strings.Cut(s, "\x00")
	return s, err
}

// errExtGlob is what bash says of a pattern that it was not asked to know.
var errExtGlob = errors.New("extended globbing operator used without the \"extglob\" option set")

// value is what a part of a word that is no text stands for.
func (sh *Shell) value(part syntax.WordPart, q quoting) (string, error) {
	switch part := part.(type) {
	case *syntax.ParamExp:
		return sh.parameter(part, q)
	case *syntax.CmdSubst:
		return sh.substitution(part)
	case *syntax.ArithmExp:
		n, err := sh.compute(part.X)
		return itoa(n), err
	case *syntax.ProcSubst:
		return sh.processSubstitution(part)
	case *syntax.ExtGlob:
		return part.Op.String() + part.Pattern.Value + ")", nil
	}
	return "", fmt.Errorf("syntax error: not supported")
}

// substitution is the output of $(…) without the newlines at its end.
func (sh *Shell) substitution(cs *syntax.CmdSubst) (string, error) {
	var out strings.Builder
	if err := sh.substitute(&out, cs); err != nil {
		return "", err
	}
	s := out.String()
	if sh.drawn += int64(len(s)); sh.drawn > drawnMax {
		return "", errTooLarge
	}
	sh.large(len(s))
	return strings.TrimRight(s, "\n"), nil
}

// tilde expands ~ and ~user at the beginning of s; home is empty if there is none.
// More says that other parts of the word follow.
func (sh *Shell) tilde(s string, more bool) (home, rest string) {
	name, rest := s[1:], ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, rest = name[:i], name[i:]
	} else if more {
		return "", s
	}
	if name == "" {
		if v := (environ{sh}).Get("HOME"); v.IsSet() {
			return v.String(), rest
		}
		return "", s
	}
	return sh.homeOf(name), rest
}
