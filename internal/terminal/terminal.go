// Package terminal makes text safe to show on a terminal. What comes from the cluster,
// such as a termination message, a log or a user's name, may hold escape sequences that
// move the cursor, clear the screen or type on the reader's behalf.
//
// Invariant: everything that kubesim prints for people goes through a Writer; the
// command line has no other way to standard output and error but for documents, which
// are exact.
package terminal

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Text returns s with everything escaped that a terminal would not print, but for the
// ends of lines and tabs: as Go's strconv quotes it, \x1b, \r, \u202e, \xff.
func Text(s string) string { return escape(s, "\n\t") }

// Line is Text for what must stay in one line: the ends of lines within it are escaped
// too; those after it, as what a command has printed ends with, are left out.
func Line(s string) string { return escape(strings.TrimRight(s, "\n"), "\t") }

func escape(s, keep string) string {
	if clean(s, keep) {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if shown(r, keep) && (r != utf8.RuneError || size > 1) {
			out.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return out.String()
}

// shown reports whether a terminal shows r and does nothing else.
func shown(r rune, keep string) bool {
	return strconv.IsGraphic(r) || strings.ContainsRune(keep, r)
}

func clean(s, keep string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !shown(r, keep) })
}

// Writer writes Text of what it is given. A character may come in several writes.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
	// part is the beginning of a character whose end has not come yet.
	part []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.part, p...)
	whole := len(text) - unfinished(text)
	w.part = append([]byte(nil), text[whole:]...)
	if whole > 0 {
		if _, err := io.WriteString(w.w, Text(string(text[:whole]))); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close writes what is left of a character that never ended.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) == 0 {
		return nil
	}
	_, err := io.WriteString(w.w, Text(string(w.part)))
	w.part = nil
	return err
}

// unfinished is how many bytes at the end of p begin a character of more.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		tail := p[len(p)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
