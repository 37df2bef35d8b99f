package applet

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
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
	c.print(string(data[:tailStart(data, n, bytewise)]))
	return nil
}

// tailStart is where the last n lines or bytes begin.
func tailStart(data []byte, n int64, bytewise bool) int {
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
	for ; end > 0; end-- {
		if data[end-1] == '\n' {
			if n--; n == 0 {
				return end
			}
		}
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

// tailFollow is how often tail -f looks at its files. Unit: virtual time.
const tailFollow = time.Second

func tail(c *Call) int {
	if len(c.Args) > 0 && len(c.Args[0]) > 1 && c.Args[0][0] == '+' {
		c.Args[0] = "-n" + c.Args[0]
	}
	c.Args = oldCount(c.Args)
	o, ok := c.parse("n:c:fFqvs:", map[string]byte{"lines": 'n', "bytes": 'c', "follow": 'f', "quiet": 'q', "retry": 'F'}, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	n, sign, bytewise, ok := c.headCount(o)
	if !ok {
		return 1
	}
	names := o.rest
	if len(names) == 0 {
		names = []string{"-"}
	}
	t := tailer{c: c, o: o, first: true, several: len(names) > 1}
	for _, name := range names {
		t.start(name, n, sign, bytewise)
	}
	if !o.has('f') && !o.has('F') {
		return t.code
	}
	if len(t.files) == 0 {
		return c.fail("no files")
	}
	c.flush()
	for {
		c.Proc.Sleep(tailFollow)
		for _, f := range t.files {
			t.more(f)
		}
		c.flush()
	}
}

// tailer follows files.
type tailer struct {
	c       *Call
	o       *options
	files   []*tailed
	last    *tailed
	first   bool
	several bool
	code    int
}

type tailed struct {
	name   string
	offset int64
	r      io.Reader
	file   *vfs.File
}

func (t *tailer) start(name string, n int64, sign byte, bytewise bool) {
	f := &tailed{name: name}
	if name == "-" {
		f.r = t.c.Stdin()
		if o := t.c.FD(0); o != nil {
			f.file = o.File()
		}
	} else {
		o, err := t.c.OpenFile(name, vfs.Read, 0)
		if err != nil {
			t.code = t.c.cannotOpen(name, err)
			if t.o.has('F') {
				t.files = append(t.files, f)
			}
			return
		}
		f.r, f.file = t.c.ReaderOf(o), o.File()
	}
	t.c.header(t.o, name, &t.first)
	data, err := t.c.readAll(f.r)
	if err != nil {
		t.code = t.c.readError(name, err)
		return
	}
	f.offset = int64(len(data))
	at := 0
	if sign == '+' {
		at = fromLine(data, n, bytewise)
	} else {
		at = tailStart(data, n, bytewise)
	}
	t.c.print(string(data[at:]))
	t.c.Charge(-int64(len(data)))
	if f.file != nil {
		t.files = append(t.files, f)
	}
	t.last = f
}

// fromLine is where line or byte n, counted from 1, begins.
func fromLine(data []byte, n int64, bytewise bool) int {
	if n > 0 {
		n--
	}
	if bytewise {
		return int(min(n, int64(len(data))))
	}
	at := 0
	for ; n > 0 && at < len(data); n-- {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return len(data)
		}
		at += i + 1
	}
	return at
}

// more prints what was added to a file, and starts again if it was cut.
func (t *tailer) more(f *tailed) {
	if f.file == nil || t.o.has('F') && t.replaced(f) {
		o, err := t.c.OpenFile(f.name, vfs.Read, 0)
		if err != nil {
			return
		}
		f.file, f.offset = o.File(), 0
		if f.r = t.c.ReaderOf(o); f.file == nil {
			return
		}
	}
	if size := f.file.Stat().Size(); size < f.offset {
		f.offset = 0
		_, _ = f.file.Seek(0, io.SeekStart)
	}
	buf := make([]byte, 4096)
	for {
		n, err := f.r.Read(buf)
		if n > 0 && t.several && t.last != f {
			t.c.print("\n==> " + f.name + " <==\n")
			t.last = f
		}
		t.c.print(string(buf[:n]))
		f.offset += int64(n)
		if err != nil || n == 0 {
			return
		}
	}
}

func (t *tailer) replaced(f *tailed) bool {
	in, err := t.c.Stat(f.name)
	return err == nil && !in.Same(f.file.Stat())
}

func wc(c *Call) int {
	o, ok := c.parse("lwcmL", map[string]byte{"lines": 'l', "words": 'w', "bytes": 'c', "chars": 'm'}, "[-cmlwL] [FILE]...")
	if !ok {
		return 1
	}
	var total [3]int
	print := func(n [3]int, name string) {
		var cols []string
		for i, f := range "lwc" {
			if o.has(byte(f)) || f == 'c' && o.has('m') || len(o.set) == 0 {
				cols = append(cols, strconv.Itoa(n[i]))
			}
		}
		if len(cols) > 1 || len(o.rest) > 1 {
			for i, s := range cols {
				width := 9
				if c.style == GNU {
					width = 7
				}
				if i == 0 && c.style == GNU && len(o.rest) > 0 {
					width = 1
				}
				cols[i] = strings.Repeat(" ", max(0, width-len(s))) + s
			}
		}
		line := strings.Join(cols, " ")
		if c.style == Busybox && len(cols) == 1 {
			line = strings.TrimLeft(line, " ")
		}
		if name != "-" || len(o.rest) > 0 {
			line += " " + name
		}
		c.print(line + "\n")
	}
	code := c.inputs(o.rest, func(name string, r io.Reader) error {
		n, err := c.wordCount(r)
		if err == nil {
			print(n, name)
			for i := range total {
				total[i] += n[i]
			}
		}
		return err
	})
	if len(o.rest) > 1 {
		print(total, "total")
	}
	return code
}

func (c *Call) wordCount(r io.Reader) (n [3]int, err error) {
	buf := make([]byte, 4096)
	inWord := false
	for {
		k, err := r.Read(buf)
		n[2] += k
		for _, b := range buf[:k] {
			switch {
			case b == '\n':
				n[0]++
				inWord = false
			case b == ' ' || b >= '\t' && b <= '\r':
				inWord = false
			case !inWord:
				inWord = true
				n[1]++
			}
		}
		if err == io.EOF || k == 0 && err == nil {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func tee(c *Call) int {
	o, ok := c.parse("ai", map[string]byte{"append": 'a'}, "[-ai] [FILE]...")
	if !ok {
		return 1
	}
	flag, code := vfs.Truncate, 0
	if o.has('a') {
		flag = vfs.Append
	}
	outs := []io.Writer{c.Stdout()}
	for _, name := range o.rest {
		w, err := c.create(name, flag)
		if err != nil {
			code = c.fail("%s: %v", name, err)
			continue
		}
		outs = append(outs, w)
	}
	buf := make([]byte, 4096)
	for {
		n, err := c.Stdin().Read(buf)
		for _, w := range outs {
			if _, werr := w.Write(buf[:n]); werr != nil {
				code = 1
			}
		}
		if err != nil || n == 0 {
			return code
		}
	}
}

func tac(c *Call) int {
	return c.inputs(c.Args, func(_ string, r io.Reader) error {
		data, err := c.readAll(r)
		lines := strings.SplitAfter(string(data), "\n")
		for i := len(lines) - 1; i >= 0; i-- {
			c.print(lines[i])
		}
		return err
	})
}

func rev(c *Call) int {
	return c.inputs(c.Args, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			runes := []rune(string(line))
			for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
				runes[i], runes[j] = runes[j], runes[i]
			}
			c.print(string(runes) + "\n")
			return true
		})
	})
}

func nl(c *Call) int {
	o, ok := c.parse("b:w:s:", nil, "[OPTIONS] [FILE]...")
	if !ok {
		return 1
	}
	n := 0
	return c.inputs(o.rest, func(_ string, r io.Reader) error {
		return c.eachLine(r, func(line []byte) bool {
			if len(line) == 0 && o.value('b') != "a" {
				c.print("       \n")
				return true
			}
			n++
			c.printf("%6d\t%s\n", n, line)
			return true
		})
	})
}
