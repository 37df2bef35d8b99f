package applet

import (
	"bytes"
	"io"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

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
		c.Poll(tailFollow)
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

// tailed is one file. r is nil as long as it cannot be opened; file is nil also
// of a device or a pipe.
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
		at = t.c.fromLine(data, n, bytewise)
	} else {
		at = t.c.tailStart(data, n, bytewise)
	}
	t.c.print(string(data[at:]))
	t.c.Charge(-int64(len(data)))
	t.files = append(t.files, f)
	t.last = f
}

// fromLine is where line or byte n, counted from 1, begins.
func (c *Call) fromLine(data []byte, n int64, bytewise bool) int {
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
		c.Work(i + 16)
		at += i + 1
	}
	return at
}

// more prints what was added to a file, and starts again if it was cut.
func (t *tailer) more(f *tailed) {
	if f.r == nil || t.o.has('F') && t.replaced(f) {
		o, err := t.c.OpenFile(f.name, vfs.Read, 0)
		if err != nil {
			return
		}
		f.file, f.offset, f.r = o.File(), 0, t.c.ReaderOf(o)
	}
	if f.file != nil && f.file.Stat().Size() < f.offset {
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
	if f.file == nil {
		return false
	}
	in, err := t.c.Stat(f.name)
	return err == nil && !in.Same(f.file.Stat())
}
