package applet

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// lineMax bounds a line that an applet keeps in memory. Unit: bytes.
const lineMax = 4 << 20

// lineReader reads lines.
type lineReader struct {
	r     io.Reader
	buf   []byte
	start int // of what was not returned yet
	done  error
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: r} }

// next returns a line with its newline, if it has one. The line holds until
// the next call. The error is io.EOF at the end.
func (l *lineReader) next() ([]byte, error) { return l.until('\n') }

func (l *lineReader) until(end byte) ([]byte, error) {
	searched := l.start
	for {
		if i := bytes.IndexByte(l.buf[searched:], end); i >= 0 {
			return l.take(searched + i + 1), nil
		}
		if l.done != nil || len(l.buf)-l.start > lineMax {
			if l.start == len(l.buf) {
				return nil, l.done
			}
			return l.take(len(l.buf)), nil
		}
		if l.start > 0 {
			l.buf = l.buf[:copy(l.buf, l.buf[l.start:])]
			l.start = 0
		}
		searched = len(l.buf)
		l.buf = slices.Grow(l.buf, outMax)
		n, err := l.r.Read(l.buf[searched : searched+outMax])
		l.buf = l.buf[:searched+n]
		if n == 0 && err == nil {
			err = io.EOF
		}
		l.done = err
	}
}

// take returns what is before a place, with no room behind it.
func (l *lineReader) take(end int) []byte {
	line := l.buf[l.start:end:end]
	l.start = end
	return line
}

// eachLine calls do for each line without its newline, until do returns false.
func (c *Call) eachLine(r io.Reader, do func(line []byte) bool) error {
	l := newLineReader(r)
	for {
		line, err := l.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		c.Step(1)
		if !do(bytes.TrimSuffix(line, []byte("\n"))) || c.err != nil {
			return nil
		}
	}
}

// split cuts a text at each separator. What it makes counts as memory.
func (c *Call) split(text, separator string) []string {
	n := 1 + strings.Count(text, separator)
	c.Charge(16 * int64(n))
	c.Work(len(text) + 32*n)
	return strings.Split(text, separator)
}

// copyAll copies r to standard output.
func (c *Call) copyAll(r io.Reader) error {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			c.flush()
			if _, werr := c.Stdout().Write(buf[:n]); werr != nil {
				c.err = werr
				return nil
			}
		}
		if err == io.EOF || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
