package match

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/pattern"
)

// Pattern is what a whole text may match.
type Pattern interface {
	Match(m Meter, s string) bool
}

// extendedMax bounds a pattern with groups. Unit: bytes.
const extendedMax = 4 << 10

// CompileExtended is CompileGlob for a pattern that may have bash's groups, such as
// @(a|b). They are matched as regular expressions.
func CompileExtended(m Meter, s string, fold bool) (Pattern, error) {
	if !hasGroup(s) {
		return CompileGlob(m, s, fold)
	}
	if len(s) > extendedMax {
		return nil, ErrTooBig
	}
	m.Step(len(s) / 8)
	x := translator{globParser: globParser{pattern: s, fold: fold, ledger: ledger{m: m}, budget: 64*len(s) + PieceMax}}
	x.findGroups()
	if x.negated == 1 {
		return x.except(fold)
	}
	expr, err := x.text(0, len(s))
	if err != nil || x.negated > 0 {
		return nil, errPattern
	}
	return compilePattern(m, expr, fold)
}

func compilePattern(m Meter, expr string, fold bool) (Pattern, error) {
	flags := "(?s)"
	if fold {
		flags = "(?si)"
	}
	re, err := Compile(m, flags+"^(?:"+expr+")$", false)
	if err != nil {
		return nil, err
	}
	return re, nil
}

// hasGroup tells whether s may have a group.
func hasGroup(s string) bool {
	for i := 0; i < len(s); {
		n := strings.IndexByte(s[i:], '(')
		if n < 0 {
			return false
		}
		if i += n; i > 0 && strings.IndexByte("!?*+@", s[i-1]) >= 0 {
			return true
		}
		i++
	}
	return false
}

// translator writes a pattern with groups as a regular expression.
type translator struct {
	globParser
	closed  map[int]int // where the group ends whose parenthesis is at a place
	negated int         // groups that are !( )
	at      int         // the first of them
}

// findGroups finds out which groups have an end. Those that have none are not
// groups but characters.
func (x *translator) findGroups() {
	x.closed = make(map[int]int)
	var open []int
	for i := 0; i < len(x.pattern); i++ {
		switch c := x.pattern[i]; {
		case c == '\\':
			i++
		case c == '[':
			if of, next, err := x.bracket(i); of != nil && err == nil {
				i = next - 1
			}
		case c == '(' && i > 0 && strings.IndexByte("!?*+@", x.pattern[i-1]) >= 0:
			open = append(open, i)
		case c == ')' && len(open) > 0:
			last := open[len(open)-1]
			open = open[:len(open)-1]
			x.closed[last] = i
			if x.pattern[last-1] == '!' {
				x.negated++
				x.at = last
			}
		}
	}
}

// text is the expression of the part of the pattern from i to end.
func (x *translator) text(i, end int) (string, error) {
	var out strings.Builder
	for i < end {
		x.add(1)
		c, width := utf8.DecodeRuneInString(x.pattern[i:])
		if stop, ok := x.closed[i+1]; ok && strings.IndexByte("!?*+@", x.pattern[i]) >= 0 {
			group, err := x.group(i, stop)
			if err != nil {
				return "", err
			}
			out.WriteString(group)
			i = stop + 1
			continue
		}
		switch {
		case c == '*':
			out.WriteString(".*")
		case c == '?':
			out.WriteByte('.')
		case c == '[':
			of, next, err := x.bracket(i)
			if err != nil {
				return "", err
			}
			if of != nil && next <= end {
				out.WriteString(of.expression())
				i = next
				continue
			}
			out.WriteString(`\[`)
		default:
			if c == '\\' && i+1 < end {
				i++
				c, width = utf8.DecodeRuneInString(x.pattern[i:])
			}
			out.WriteString(regexp.QuoteMeta(string(c)))
		}
		i += width
	}
	return out.String(), nil
}

// group is the expression of the group whose operator is at i and whose end is at
// stop.
func (x *translator) group(i, stop int) (string, error) {
	var out strings.Builder
	out.WriteString("(?:")
	from := i + 2
	for at := from; at <= stop; at++ {
		switch {
		case at < stop && x.pattern[at] == '\\':
			at++
			continue
		case at < stop && x.closed[at] > 0:
			at = x.closed[at]
			continue
		case at < stop && x.pattern[at] == '[':
			if of, next, err := x.bracket(at); of != nil && err == nil && next <= stop {
				at = next - 1
			}
			continue
		case at < stop && x.pattern[at] != '|':
			continue
		}
		one, err := x.text(from, at)
		if err != nil {
			return "", err
		}
		out.WriteString(one)
		if at < stop {
			out.WriteByte('|')
		}
		from = at + 1
	}
	out.WriteByte(')')
	if op := x.pattern[i]; op != '@' && op != '!' {
		out.WriteByte(op)
	}
	return out.String(), nil
}

// expression is the class as a regular expression has it.
func (c *class) expression() string {
	var out strings.Builder
	out.WriteByte('[')
	if c.not {
		out.WriteByte('^')
	}
	for _, span := range c.ranges {
		fmt.Fprintf(&out, `\x{%x}-\x{%x}`, span[0], span[1])
	}
	for _, name := range c.names {
		out.WriteString("[:" + name + ":]")
	}
	out.WriteByte(']')
	return out.String()
}

// exception is a pattern such as a!(b)c with plain text around its group.
type exception struct {
	before, after string
	group         Pattern
}

func (x *translator) except(fold bool) (Pattern, error) {
	start, end := x.at-1, x.closed[x.at]
	if pattern.HasMeta(x.pattern[:start], 0) || pattern.HasMeta(x.pattern[end+1:], 0) {
		return nil, errPattern
	}
	expr, err := x.group(start, end)
	if err != nil {
		return nil, err
	}
	group, err := compilePattern(x.m, expr, fold)
	return &exception{unquoted(x.pattern[:start]), unquoted(x.pattern[end+1:]), group}, err
}

// unquoted is a pattern without operators as the text that it matches.
func unquoted(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// Match implements Pattern.
func (e *exception) Match(m Meter, s string) bool {
	rest, ok := strings.CutPrefix(s, e.before)
	if ok {
		rest, ok = strings.CutSuffix(rest, e.after)
	}
	return ok && !e.group.Match(m, rest)
}
