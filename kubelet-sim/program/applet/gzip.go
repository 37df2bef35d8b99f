package applet

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

const (
	gzipUsage   = "[-cfkdt123456789] [FILE]..."
	gunzipUsage = "[-cfkt] [FILE]..."
)

// gzipHeld is what packing keeps meanwhile. Unit: bytes.
const gzipHeld = 1 << 20

// gzipping is one run of gzip, gunzip or zcat.
type gzipping struct {
	*Call
	o *options
	// unpack, test and show: what to do, and whether to standard output.
	unpack, test, show bool
	code               int
}

func gzipApplet(c *Call) int {
	called, usage := c.Name, gzipUsage
	if called != "gzip" {
		usage = gunzipUsage
	}
	if c.style == GNU {
		c.Name = "gzip" // the others are scripts that run it
	}
	o, ok := c.parse("cfkdtnqv123456789", map[string]byte{
		"stdout": 'c', "to-stdout": 'c', "force": 'f', "keep": 'k', "decompress": 'd', "test": 't', "fast": '1', "best": '9', "quiet": 'q', "no-name": 'n',
	}, usage)
	if !ok {
		return 1
	}
	g := gzipping{Call: c, o: o, test: o.has('t')}
	g.unpack = called != "gzip" || o.has('d') || g.test
	g.show = called == "zcat" || o.has('c') || g.test
	names := o.rest
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		g.file(name)
	}
	return g.code
}

// file packs or unpacks one.
func (g *gzipping) file(name string) {
	g.Step(1)
	if name == "-" {
		g.stream("stdin", g.Stdin(), nopWriteCloser{g.Call})
		return
	}
	in, err := g.Stat(name)
	if err != nil {
		if g.style == GNU && g.unpack && !strings.HasSuffix(name, ".gz") {
			name += ".gz" // it has looked for that too
		}
		g.code = g.fail("%s: %v", name, err)
		return
	}
	if in.IsDir() {
		g.wrong("can't remove file '%s': Is a directory", name, "%s is a directory -- ignored")
		return
	}
	to, ok := g.renamed(name)
	if !ok {
		g.wrong("%s: unknown suffix - ignored", name, "%s: unknown suffix -- ignored")
		return
	}
	r, err := g.open(name)
	if err != nil {
		g.code = g.cannotOpen(name, err)
		return
	}
	defer func() { _ = r.Close() }() // it was only read
	if g.show {
		g.stream(name, r, nopWriteCloser{g.Call})
		return
	}
	if _, err := g.Lstat(to); err == nil && !g.o.has('f') {
		g.wrong("can't open '%s': File exists", to, "%s already exists;\tnot overwritten")
		return
	}
	w, err := g.create(to, vfs.Truncate)
	if err != nil {
		g.code = g.cannotOpen(to, err)
		return
	}
	if !g.stream(name, r, w) {
		_ = g.FS().Remove(g.Abs(to), g.User()) // there is nothing of use in it
		return
	}
	_ = g.FS().Chmod(g.Abs(to), in.Mode(), g.User()) // it is the user's own
	if !g.o.has('k') {
		g.removeFiles([]string{name}, false, true, false)
	}
}

// wrong reports what is left out, in the words of busybox or GNU.
func (g *gzipping) wrong(text, name, gnu string) {
	if g.code = 1; g.style == GNU {
		text, g.code = gnu, 2
	}
	g.fail(text, name)
}

// renamed is the name of what becomes of a file.
func (g *gzipping) renamed(name string) (string, bool) {
	if !g.unpack {
		return name + ".gz", !strings.HasSuffix(name, ".gz")
	}
	for _, suffix := range [...]struct{ packed, plain string }{{".gz", ""}, {".tgz", ".tar"}, {"-gz", ""}, {".z", ""}} {
		if before, ok := strings.CutSuffix(name, suffix.packed); ok && before != "" {
			return before + suffix.plain, true
		}
	}
	return name, g.show
}

// stream packs or unpacks all of r, and reports whether it could.
func (g *gzipping) stream(name string, r io.Reader, w io.WriteCloser) bool {
	err := g.copy(bufio.NewReader(plain{r}), w)
	if err == nil {
		return true
	}
	text := err.Error()
	switch {
	case err == errMagic && g.style == Busybox:
		if text = "invalid magic"; g.Name == "zcat" {
			text = "no gzip/bzip2/xz magic"
		}
	case err == errMagic || err == gzip.ErrHeader:
		text = "not in gzip format"
	case err == gzip.ErrChecksum:
		text = "crc error"
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		text = "unexpected end of file"
	}
	g.flush()
	if g.style == GNU {
		_, _ = io.WriteString(g.Stderr(), "\n") // it begins a line of its own
		text = name + ": " + text
	}
	g.code = g.fail("%s", text)
	return false
}

// errMagic is that of data which does not begin as gzip's.
var errMagic = errors.New("not in gzip format")

// magic looks at how data begins. Some data is too short for gzip's two bytes: for GNU
// it ends too early.
func (g *gzipping) magic(r *bufio.Reader) error {
	head, _ := r.Peek(2)
	switch {
	case len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b:
		return nil
	case len(head) < 2 && g.style == GNU:
		return io.ErrUnexpectedEOF
	}
	return errMagic
}

func (g *gzipping) copy(r *bufio.Reader, w io.WriteCloser) (err error) {
	defer func() {
		if cerr := w.Close(); err == nil {
			err = cerr
		}
	}()
	g.Reserve(gzipHeld)
	defer g.Reserve(-gzipHeld)
	if g.unpack {
		if err := g.magic(r); err != nil {
			return err
		}
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		to := io.Writer(w)
		if g.test {
			to = io.Discard
		}
		_, err = io.Copy(to, plain{metered{g.Call, z}})
		return err
	}
	level := gzip.DefaultCompression
	for n := gzip.BestSpeed; n <= gzip.BestCompression; n++ {
		if g.o.has(byte('0' + n)) {
			level = n
		}
	}
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return err
	}
	if _, err := io.Copy(packing{g.Call, z}, plain{r}); err != nil {
		return err
	}
	return z.Close()
}
