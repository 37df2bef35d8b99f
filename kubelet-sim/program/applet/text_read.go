package applet

import (
	"bytes"
	"io"
	"strconv"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

func readFamily(name string) Func {
	switch name {
	case "cat":
		return cat
	case "head":
		return head
	case "tail":
		return tail
	case "wc":
		return wc
	case "tee":
		return tee
	case "tac":
		return tac
	case "rev":
		return rev
	case "nl":
		return nl
	case "more", "less":
		return cat
	}
	return nil
}

func cat(c *Call) int {
	o, ok := c.parse("nvbetuA", map[string]byte{"number": 'n', "show-all": 'A'}, "[-nbvteA] [FILE]...\n\nPrint FILEs to stdout")
	if !ok {
		return 1
	}
	n := 0
	code := c.inputs(o.rest, func(_ string, r io.Reader) error {
		if !o.has('n') && !o.has('b') && !o.has('e') && !o.has('A') && !o.has('v') && !o.has('t') {
			return c.copyAll(r)
		}
		l := newLineReader(r)
		for {
			line, err := l.next()
			if err != nil {
				return err
			}
			c.Step(1)
			text, ended := bytes.CutSuffix(line, []byte("\n"))
			if o.has('n') || o.has('b') && len(text) > 0 {
				n++
				c.printf("%6d\t", n)
			}
			if o.has('A') || o.has('t') {
				c.Work(4 * len(text))
				text = bytes.ReplaceAll(text, []byte("\t"), []byte("^I"))
			}
			c.print(string(text))
			if o.has('e') || o.has('A') {
				c.print("$")
			}
			if ended {
				c.print("\n")
			}
		}
	})
	if c.err != nil {
		return c.fail("write error: %v", c.err)
	}
	return code
}

// count reads the number of -n and -c: 10, +10, -10, 1k, 1m.
func count(s string) (n int64, sign byte, ok bool) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[0], s[1:]
	}
	unit := int64(1)
	if s != "" {
		switch s[len(s)-1] {
		case 'b':
			unit = 512
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		}
		if unit > 1 {
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0, 0, false
	}
	return n * unit, sign, true
}

// oldCount turns -5 into -n 5.
func oldCount(args []string) []string {
	out := make([]string, 0, len(args)+1)
	for i, a := range args {
		if len(a) > 1 && a[0] == '-' && a[1] >= '0' && a[1] <= '9' && (i == 0 || args[i-1] != "-n" && args[i-1] != "-c") {
			out = append(out, "-n", a[1:])
			continue
		}
		out = append(out, a)
	}
	return out
}

func (c *Call) headCount(o *options) (n int64, sign byte, bytewise, ok bool) {
	text := "10"
	if o.has('c') {
		text, bytewise = o.value('c'), true
	} else if o.has('n') {
		text = o.value('n')
	}
	if n, sign, ok = count(text); !ok {
		if c.style == GNU {
			c.fail("invalid number of lines: '%s'", text)
		} else {
			c.fail("invalid number '%s'", text)
		}
	}
	return n, sign, bytewise, ok
}

func head(c *Call) int {
	c.Args = oldCount(c.Args)
	o, ok := c.parse("n:c:qv", map[string]byte{"lines": 'n', "bytes": 'c', "quiet": 'q'}, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	n, sign, bytewise, ok := c.headCount(o)
	if !ok {
		return 1
	}
	first := true
	return c.inputs(o.rest, func(name string, r io.Reader) error {
		c.header(o, name, &first)
		switch {
		case sign == '-':
			return c.headBut(r, n, bytewise)
		case bytewise:
			return c.copyAll(io.LimitReader(r, n))
		}
		if n == 0 {
			return nil
		}
		return c.headLines(r, n)
	})
}

func (c *Call) headLines(r io.Reader, n int64) error {
	l := newLineReader(r)
	for ; n > 0; n-- {
		line, err := l.next()
		if err != nil {
			return err
		}
		c.Step(1)
		c.print(string(line))
	}
	return nil
}

// headBut prints all but the last n lines or bytes.
func (c *Call) headBut(r io.Reader, n int64, bytewise bool) error {
	data, err := c.readAll(r)
	if err != nil {
		return err
	}
	c.print(string(data[:c.tailStart(data, n, bytewise)]))
	return nil
}

// tailStart is where the last n lines or bytes begin.
func (c *Call) tailStart(data []byte, n int64, bytewise bool) int {
	if bytewise {
		return int(max(0, int64(len(data))-n))
	}
	if n == 0 {
		return len(data)
	}
	end := len(data)
	if end > 0 && data[end-1] == '\n' {
		end--
	}
	for end > 0 {
		at := bytes.LastIndexByte(data[max(end-kernel.PieceMax, 0):end], '\n')
		if at < 0 {
			c.Work(min(end, kernel.PieceMax))
			end = max(end-kernel.PieceMax, 0)
			continue
		}
		at += max(end-kernel.PieceMax, 0)
		c.Work(end - at)
		if n--; n == 0 {
			return at + 1
		}
		end = at
	}
	return 0
}

func (c *Call) header(o *options, name string, first *bool) {
	if len(o.rest) < 2 && !o.has('v') || o.has('q') {
		return
	}
	if !*first {
		c.print("\n")
	}
	*first = false
	if name == "-" {
		name = "standard input"
	}
	c.print("==> " + name + " <==\n")
}
