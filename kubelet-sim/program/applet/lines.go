package applet

import (
	"bytes"
	"io"
	"strings"
)

// lineMax bounds a line that an applet keeps in memory. Unit: bytes.
const lineMax = 4 << 20

// lineReader reads lines.
type lineReader struct {
	r    io.Reader
	buf  []byte
	done error
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: r} }

// next returns a line with its newline, if it has one. The line holds until
// the next call. The error is io.EOF at the end.
func (l *lineReader) next() ([]byte, error) { return l.until('\n') }

func (l *lineReader) until(end byte) ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.buf[searched:], end); i >= 0 {
			line := l.buf[:searched+i+1]
			l.buf = l.buf[searched+i+1:]
			return line, nil
		}
		searched = len(l.buf)
		if l.done != nil || len(l.buf) > lineMax {
			if len(l.buf) == 0 {
				return nil, l.done
			}
			line := l.buf
			l.buf = nil
			return line, nil
		}
		chunk := make([]byte, 4096)
		n, err := l.r.Read(chunk)
		l.buf = append(l.buf[:len(l.buf):len(l.buf)], chunk[:n]...)
		if n == 0 && err == nil {
			err = io.EOF
		}
		l.done = err
	}
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
