package applet

import (
	"io"
	"strings"
)

func (s *sedRun) substitute(cmd *sedCommand) {
	text := s.text()
	s.c.Step(1 + len(text)/64)
	var out strings.Builder
	at, n, done := 0, 0, false
	cmd.rx.All(s.c, text, groupsOfSed, func(m []int) bool {
		if n++; cmd.nth > 0 && n < cmd.nth {
			return true
		}
		done = true
		s.c.Work(m[0] - at + len(cmd.replace))
		out.WriteString(text[at:m[0]])
		expandReplacement(&out, cmd.replace, text, m, s.c.style == GNU)
		at = m[1]
		if out.Len() > lineMax {
			s.c.Machine().KillForMemory(s.c.Proc)
		}
		return cmd.global
	})
	if !done {
		return
	}
	out.WriteString(text[at:])
	s.space.set(out.String())
	s.replaced = true
	if cmd.print {
		_, _ = io.WriteString(s.out, s.text()+"\n")
	}
	if cmd.file != nil {
		_, _ = io.WriteString(cmd.file, s.text()+"\n")
	}
}

// groupsOfSed are those that a replacement may name.
const groupsOfSed = 9

// letterCase is what GNU sed's \U, \L, \u and \l do to what follows: all of it, and the
// next letter.
type letterCase struct{ all, next byte }

// takes tells whether a letter behind a backslash is one of them.
func (l *letterCase) takes(c byte) bool {
	switch c {
	case 'U', 'L', 'E':
		l.all = c
	case 'u', 'l':
		l.next = c
	default:
		return false
	}
	return true
}

func (l *letterCase) of(s string) string {
	switch l.all {
	case 'U':
		s = strings.ToUpper(s)
	case 'L':
		s = strings.ToLower(s)
	}
	if s == "" || l.next == 0 {
		return s
	}
	first, rest := s[:1], s[1:]
	if l.next == 'u' {
		first = strings.ToUpper(first)
	} else {
		first = strings.ToLower(first)
	}
	l.next = 0
	return first + rest
}

// expandReplacement writes a replacement: & and \1 to \9 are what was matched.
// GNU sed has \U, \L and \E, \u and \l too.
func expandReplacement(out *strings.Builder, text, s string, m []int, gnu bool) {
	fold := letterCase{}
	group := func(n int) {
		if 2*n+1 < len(m) && m[2*n] >= 0 {
			out.WriteString(fold.of(s[m[2*n]:m[2*n+1]]))
		}
	}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '&':
			group(0)
		case text[i] == '\\' && i+1 < len(text):
			i++
			switch {
			case text[i] >= '0' && text[i] <= '9':
				group(int(text[i] - '0'))
			case gnu && fold.takes(text[i]):
			default:
				out.WriteString(fold.of(text[i : i+1]))
			}
		default:
			out.WriteString(fold.of(text[i : i+1]))
		}
	}
}
