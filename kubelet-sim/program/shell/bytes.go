package shell

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// A script is bytes, of any encoding or none; the parser takes UTF-8 alone. So for the
// parser a byte that is none is one of the characters from byteFirst on, of a private
// plane, and it is a byte again in what comes out. A script that has these characters
// gives each of their bytes in the same way, so nothing is lost.
const (
	byteFirst = '\U0010ff00'
	byteLast  = byteFirst + 0xff
)

// decodable returns text as the parser takes it.
func decodable(text string) string {
	if utf8.ValidString(text) && !hasBytes(text) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if isByte := r >= byteFirst && r <= byteLast; isByte || r == utf8.RuneError && size == 1 {
			for i := range size {
				out.WriteRune(byteFirst + rune(text[i]))
			}
		} else {
			out.WriteString(text[:size])
		}
		text = text[size:]
	}
	return out.String()
}

// hasBytes reports whether text may have one of the characters that stand for bytes: all
// of them begin with the same two.
func hasBytes(text string) bool {
	return strings.Contains(text, string(byteFirst)[:2])
}

// original turns what decodable has made into bytes again.
func original(text string) string {
	if !hasBytes(text) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if r >= byteFirst && r <= byteLast {
			out.WriteByte(byte(r - byteFirst))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// restoreBytes undoes decodable in all that a script says.
func (s *script) restoreBytes() {
	for _, stmt := range s.stmts {
		syntax.Walk(stmt, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Lit:
				n.Value = original(n.Value)
			case *syntax.SglQuoted:
				n.Value = original(n.Value)
			case *syntax.Comment:
				n.Text = original(n.Text)
			}
			return true
		})
	}
	var perr syntax.ParseError
	if errors.As(s.err, &perr) {
		perr.Text = original(perr.Text)
		s.err = perr
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func nodeLit(node syntax.Node) string {
	if word, ok := node.(*syntax.Word); ok {
		return word.Lit()
	}
	return ""
}
