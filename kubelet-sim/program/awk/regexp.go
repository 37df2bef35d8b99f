package awk

import (
	"regexp"
	"strings"
)

// compile reads an extended regular expression; the longest match wins.
func compile(source string) (*regexp.Regexp, error) {
	// Package regexp takes UTF-8 alone, and sees U+FFFD for each byte of a text that is none.
	//
	// Deviation: such a byte of an expression matches every other such byte.
	re, err := regexp.Compile(string([]rune(translate(source))))
	if err != nil {
		return nil, err
	}
	re.Longest()
	return re, nil
}

// translate writes an ERE as Go's package regexp reads it: an escape that only
// AWK knows, and a brace or bracket that is meant as itself.
func translate(s string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case '/', '"', '&', '-':
				out.WriteString(regexp.QuoteMeta(s[i : i+1]))
			case 'y':
				out.WriteString(`\b`)
			default:
				out.WriteByte(c)
				out.WriteByte(s[i])
			}
		case class && c == '[' && i+1 < len(s) && s[i+1] == ':':
			end := strings.Index(s[i:], ":]")
			if end < 0 {
				out.WriteString(`\[`)
				continue
			}
			out.WriteString(s[i : i+end+2])
			i += end + 1
		case class && c == '[':
			out.WriteString(`\[`)
		case class && c == ']':
			class = false
			out.WriteByte(c)
		case !class && c == '[':
			class = true
			out.WriteByte(c)
			if i+1 < len(s) && s[i+1] == '^' {
				i++
				out.WriteByte('^')
			}
			if i+1 < len(s) && s[i+1] == ']' {
				i++
				out.WriteString(`\]`)
			}
		case !class && c == '{' && !isRepeat(s[i:]):
			out.WriteString(`\{`)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// isRepeat tells whether s begins with {2}, {2,} or {2,3}.
func isRepeat(s string) bool {
	end := strings.IndexByte(s, '}')
	return end > 1 && strings.Trim(s[1:end], "0123456789,") == "" && s[1] != ','
}

// regexesMax bounds those that are kept, regexMax the length of one.
const (
	regexesMax = 64
	regexMax   = 1024
)

// dynamic is the regular expression that a string is.
func (in *interp) dynamic(source string) *regexp.Regexp {
	if re, ok := in.regexes[source]; ok {
		return re
	}
	if len(source) > regexMax {
		panic(runtimeError("regex too long"))
	}
	re, err := compile(source)
	if err != nil {
		panic(runtimeError("bad regex '" + source + "'"))
	}
	in.host.Step(50 + len(source))
	if len(in.regexes) >= regexesMax {
		clear(in.regexes)
	}
	in.regexes[source] = re
	return re
}

// workMax bounds the product of a text's length and a pattern's: what one match
// may cost the host.
const workMax = 1 << 27

// work accounts for a match of re with a text of n bytes.
func (in *interp) work(re *regexp.Regexp, n int) {
	cost := n * (1 + len(re.String()))
	if cost > workMax {
		panic(runtimeError("regex too complex for a text of this length"))
	}
	in.host.Step(cost / 4096)
}

// regexOf is an operand as a regular expression.
func (in *interp) regexOf(n *node) *regexp.Regexp {
	if n.re != nil {
		return n.re
	}
	return in.dynamic(in.toStr(n.eval(in)))
}
