package match

import (
	"strings"
	"unicode/utf8"
)

// Glob is a pattern of shells: * ? [a-z] and what quotes them. It is cut at its
// stars into segments, each of which matches a fixed number of characters. So no
// match has to go back: where one segment fits first, the ones after it have the
// most room.
type Glob struct {
	segments []segment // a star is between each two; at least one
}

// segment is what is between two stars.
type segment struct {
	text  string    // where all of it are plain characters
	parts []element // else
}

// element is one character: itself, any, or one of a class.
type element struct {
	char rune
	any  bool
	of   *class
	fold bool
}

func (s segment) empty() bool { return s.text == "" && len(s.parts) == 0 }

// CompileGlob reads a pattern. Fold makes letters match whatever their case is. An
// error says that the pattern matches nothing.
func CompileGlob(m Meter, pattern string, fold bool) (*Glob, error) {
	m.Step(len(pattern) / 64)
	if !fold && !strings.ContainsAny(pattern, `*?[\`) {
		return &Glob{segments: []segment{{text: pattern}}}, nil
	}
	p := globParser{pattern: pattern, fold: fold, ledger: ledger{m: m}, budget: 64*len(pattern) + PieceMax}
	return p.glob()
}

// matchAt returns where a segment ends that begins at pos of text, -1 if it does
// not fit there.
func (s segment) matchAt(l *ledger, text string, pos int) int {
	if len(s.parts) == 0 {
		l.add(1 + len(s.text)/32)
		if strings.HasPrefix(text[pos:], s.text) {
			return pos + len(s.text)
		}
		return -1
	}
	for i := range s.parts {
		if pos >= len(text) {
			return -1
		}
		l.add(1)
		c, width := utf8.DecodeRuneInString(text[pos:])
		if !s.parts[i].matches(c) {
			return -1
		}
		pos += width
	}
	return pos
}

// matchBefore returns where a segment begins that ends at end of text, -1 if it
// does not fit there.
func (s segment) matchBefore(l *ledger, text string, end int) int {
	if len(s.parts) == 0 {
		l.add(1 + len(s.text)/32)
		if strings.HasSuffix(text[:end], s.text) {
			return end - len(s.text)
		}
		return -1
	}
	for i := len(s.parts) - 1; i >= 0; i-- {
		if end <= 0 {
			return -1
		}
		l.add(1)
		c, width := utf8.DecodeLastRuneInString(text[:end])
		if !s.parts[i].matches(c) {
			return -1
		}
		end -= width
	}
	return end
}

// first returns where the first fit of a segment from pos on begins and ends.
func (s segment) first(l *ledger, text string, pos int) (start, end int) {
	if len(s.parts) == 0 {
		vm := machine{ledger: *l, prefix: s.text, text: text}
		start = vm.skip(pos)
		*l = vm.ledger
		return start, start + len(s.text)
	}
	for pos <= len(text) {
		if end := s.matchAt(l, text, pos); end >= 0 {
			return pos, end
		}
		_, width := utf8.DecodeRuneInString(text[pos:])
		pos += max(width, 1)
	}
	return -1, -1
}

// last returns where the last fit of a segment between pos and end begins and ends.
func (s segment) last(l *ledger, text string, pos, end int) (start, stop int) {
	if s.empty() {
		return end, end
	}
	for end >= pos {
		if len(s.parts) == 0 {
			low := max(pos, end-skipMax-len(s.text))
			if i := strings.LastIndex(text[low:end], s.text); i >= 0 {
				l.add((end - low - i) / 16)
				return low + i, low + i + len(s.text)
			}
			l.add((end - low) / 16)
			if low == pos {
				break
			}
			end = low + len(s.text) - 1
			continue
		}
		if start := s.matchBefore(l, text, end); start >= pos {
			return start, end
		}
		_, width := utf8.DecodeLastRuneInString(text[:end])
		end -= max(width, 1)
	}
	return -1, -1
}

// Match tells whether the pattern matches all of s.
func (g *Glob) Match(m Meter, s string) bool {
	l := ledger{m: m}
	n := len(g.segments) - 1
	pos := g.segments[0].matchAt(&l, s, 0)
	if n == 0 || pos < 0 {
		return pos == len(s)
	}
	if pos = g.middle(&l, s, pos); pos < 0 {
		return false
	}
	return g.segments[n].matchBefore(&l, s, len(s)) >= pos
}

// middle returns where the segments between the first and the last end that come
// first from pos on, -1 if they do not fit.
func (g *Glob) middle(l *ledger, s string, pos int) int {
	for i := 1; i < len(g.segments)-1 && pos >= 0; i++ {
		if start, end := g.segments[i].first(l, s, pos); start >= 0 {
			pos = end
		} else {
			pos = -1
		}
	}
	return pos
}

// Prefix returns where the shortest or longest part ends that s begins with and the
// pattern matches, -1 if there is none.
func (g *Glob) Prefix(m Meter, s string, longest bool) int {
	l := ledger{m: m}
	return g.from(&l, s, g.segments[0].matchAt(&l, s, 0), longest)
}

// from returns where the pattern ends whose first segment ends at pos.
func (g *Glob) from(l *ledger, s string, pos int, longest bool) int {
	n := len(g.segments) - 1
	if n == 0 || pos < 0 {
		return pos
	}
	if pos = g.middle(l, s, pos); pos < 0 {
		return -1
	}
	if longest {
		_, end := g.segments[n].last(l, s, pos, len(s))
		return end
	}
	if start, end := g.segments[n].first(l, s, pos); start >= 0 {
		return end
	}
	return -1
}

// Suffix returns where the shortest or longest part begins that s ends with and the
// pattern matches, -1 if there is none.
func (g *Glob) Suffix(m Meter, s string, longest bool) int {
	l := ledger{m: m}
	n := len(g.segments) - 1
	start := g.segments[n].matchBefore(&l, s, len(s))
	if n == 0 || start < 0 {
		return start
	}
	if longest {
		from, pos := g.segments[0].first(&l, s, 0)
		if from < 0 {
			return -1
		}
		if pos = g.middle(&l, s, pos); pos < 0 || pos > start {
			return -1
		}
		return from
	}
	for i := n - 1; i >= 0; i-- {
		if start, _ = g.segments[i].last(&l, s, 0, start); start < 0 {
			return -1
		}
	}
	return start
}

// All calls do for the longest match at the first place, then at the first place
// behind it, and so on until do returns false.
func (g *Glob) All(m Meter, s string, do func(start, end int) bool) {
	l := ledger{m: m}
	for pos, last := 0, -1; pos <= len(s); {
		start, end := g.segments[0].first(&l, s, pos)
		if start >= 0 {
			end = g.from(&l, s, end, true)
		}
		if start < 0 || end < 0 {
			return
		}
		if end == start && start == last { // nothing, behind the match before
			_, width := utf8.DecodeRuneInString(s[pos:])
			pos += max(width, 1)
			continue
		}
		if !do(start, end) {
			return
		}
		if last = end; end == pos {
			_, width := utf8.DecodeRuneInString(s[pos:])
			pos += max(width, 1)
			continue
		}
		pos = end
	}
}
