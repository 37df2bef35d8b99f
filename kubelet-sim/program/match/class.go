package match

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// globParser reads a Glob.
type globParser struct {
	ledger
	pattern string
	fold    bool
	budget  int // characters that brackets without an end may still cost
	ends    bool
}

// errPattern says that a bracket expression has no meaning.
var errPattern = errors.New("invalid pattern")

func (p *globParser) glob() (*Glob, error) {
	g := &Glob{}
	var parts []element
	plain := true
	end := func() {
		s := segment{parts: parts}
		if plain && !p.fold {
			var text strings.Builder
			for _, e := range parts {
				text.WriteString(p.raw(e))
			}
			s = segment{text: text.String()}
		}
		g.segments = append(g.segments, s)
		parts, plain = nil, true
	}
	for i := 0; i < len(p.pattern); {
		p.add(1)
		c, width := utf8.DecodeRuneInString(p.pattern[i:])
		switch {
		case c == '*':
			for i < len(p.pattern) && p.pattern[i] == '*' {
				i++
			}
			end()
			continue
		case c == '?':
			parts, plain = append(parts, element{any: true}), false
		case c == '[':
			of, next, err := p.bracket(i)
			if err != nil {
				return nil, err
			}
			if of != nil {
				parts, plain = append(parts, element{of: of, fold: p.fold}), false
				i = next
				continue
			}
			parts = append(parts, element{char: c})
		default:
			if c == '\\' && i+1 < len(p.pattern) {
				i++
				c, width = utf8.DecodeRuneInString(p.pattern[i:])
			}
			if c == utf8.RuneError && width == 1 { // a byte that is no character
				c = badByte + rune(p.pattern[i])
			}
			parts = append(parts, element{char: c, fold: p.fold})
		}
		i += width
	}
	end()
	return g, nil
}

// badByte is added to a byte that is no character, beyond all that are.
const badByte = unicode.MaxRune + 1

func (p *globParser) raw(e element) string {
	if e.char >= badByte {
		return string([]byte{byte(e.char - badByte)})
	}
	return string(e.char)
}

func (e *element) matches(c rune) bool {
	switch {
	case e.any:
		return true
	case e.of != nil:
		if e.of.has(c) {
			return true
		}
		for f := unicode.SimpleFold(c); e.fold && f != c; f = unicode.SimpleFold(f) {
			if e.of.has(f) {
				return true
			}
		}
		return false
	case e.char == c || e.char >= badByte && c == utf8.RuneError:
		return true
	}
	for f := unicode.SimpleFold(c); e.fold && f != c; f = unicode.SimpleFold(f) {
		if f == e.char {
			return true
		}
	}
	return false
}

// class is a bracket expression.
type class struct {
	not    bool
	ranges [][2]rune
	named  []func(rune) bool
	names  []string
}

func (c *class) has(r rune) bool {
	for _, span := range c.ranges {
		if r >= span[0] && r <= span[1] {
			return !c.not
		}
	}
	for _, in := range c.named {
		if in(r) {
			return !c.not
		}
	}
	return c.not
}

// bracket reads the expression that begins at i. Without an end it is nil: the
// bracket is a character. Many of these cost their budget, and then are not looked
// at any more.
func (p *globParser) bracket(i int) (of *class, next int, err error) {
	if p.ends || p.budget <= 0 {
		return nil, 0, nil
	}
	if strings.IndexByte(p.pattern[i:], ']') < 0 {
		p.ends = true
		return nil, 0, nil
	}
	s := p.pattern
	of = &class{}
	at := i + 1
	if at < len(s) && (s[at] == '!' || s[at] == '^') {
		of.not = true
		at++
	}
	bad := false
	for first := true; at < len(s); first = false {
		p.add(1)
		switch {
		case s[at] == ']' && !first:
			if bad {
				return nil, 0, errPattern
			}
			return of, at + 1, nil
		case s[at] == '[' && at+1 < len(s) && strings.IndexByte(":.=", s[at+1]) >= 0:
			end, ok := p.named(of, at)
			bad = bad || !ok
			at = end
			continue
		}
		low, width := p.member(at)
		at += width
		high := low
		if at+1 < len(s) && s[at] == '-' && s[at+1] != ']' {
			high, width = p.member(at + 1)
			at += 1 + width
			bad = bad || low > high
		}
		of.ranges = append(of.ranges, [2]rune{low, high})
	}
	p.budget -= len(s) - i
	return nil, 0, nil
}

// member is a character in brackets, which \ may quote.
func (p *globParser) member(at int) (c rune, width int) {
	if p.pattern[at] == '\\' && at+1 < len(p.pattern) {
		c, width = utf8.DecodeRuneInString(p.pattern[at+1:])
		return c, width + 1
	}
	return utf8.DecodeRuneInString(p.pattern[at:])
}

// nameMax bounds the names of classes.
const nameMax = 32

// named reads [:alpha:] at a place in brackets, and returns where it ends. It is
// false if there is no such class.
func (p *globParser) named(of *class, at int) (end int, ok bool) {
	rest := p.pattern[at+2 : min(len(p.pattern), at+2+nameMax)]
	n := strings.Index(rest, p.pattern[at+1:at+2]+"]")
	if n < 0 {
		return at + 1, false
	}
	in := posixClass(rest[:n])
	if in == nil || p.pattern[at+1] != ':' {
		return at + n + 4, false
	}
	of.named, of.names = append(of.named, in), append(of.names, rest[:n])
	return at + n + 4, true
}

// posixClass finds a class by its name, in the C locale; nil if there is none.
func posixClass(name string) func(rune) bool {
	lower := func(c rune) bool { return c >= 'a' && c <= 'z' }
	upper := func(c rune) bool { return c >= 'A' && c <= 'Z' }
	digit := func(c rune) bool { return c >= '0' && c <= '9' }
	alnum := func(c rune) bool { return lower(c) || upper(c) || digit(c) }
	switch name {
	case "alnum":
		return alnum
	case "alpha":
		return func(c rune) bool { return lower(c) || upper(c) }
	case "ascii":
		return func(c rune) bool { return c < utf8.RuneSelf }
	case "blank":
		return func(c rune) bool { return c == ' ' || c == '\t' }
	case "cntrl":
		return func(c rune) bool { return c < ' ' || c == 127 }
	case "digit":
		return digit
	case "graph":
		return func(c rune) bool { return c > ' ' && c < 127 }
	case "lower":
		return lower
	case "print":
		return func(c rune) bool { return c >= ' ' && c < 127 }
	case "punct":
		return func(c rune) bool { return c > ' ' && c < 127 && !alnum(c) }
	case "space":
		return func(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' }
	case "upper":
		return upper
	case "word":
		return func(c rune) bool { return alnum(c) || c == '_' }
	case "xdigit":
		return func(c rune) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	}
	return nil
}
