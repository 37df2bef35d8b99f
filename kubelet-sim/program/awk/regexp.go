package awk

import (
	"regexp"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/match"
)

// compile reads an extended regular expression; the longest match wins.
func compile(m match.Meter, source string) (*match.Regexp, error) {
	return match.Compile(m, translate(source), true)
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
func (in *interp) dynamic(source string) *match.Regexp {
	if re, ok := in.regexes[source]; ok {
		return re
	}
	if len(source) > regexMax {
		panic(runtimeError("regex too long"))
	}
	re, err := compile(in.host, source)
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

// regexOf is an operand as a regular expression.
func (in *interp) regexOf(n *node) *match.Regexp {
	if n.re != nil {
		return n.re
	}
	return in.dynamic(in.toStr(n.eval(in)))
}
