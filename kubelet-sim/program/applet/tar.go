package applet

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func archiveFamily(name string) Func {
	switch name {
	case "tar":
		return tarApplet
	case "gzip", "gunzip", "zcat":
		return gzipApplet
	case "split":
		return split
	}
	return nil
}

const tarUsage = "c|x|t [-ZzJjahmvokO] [-f TARFILE] [-C DIR] [-T FILE] [-X FILE] [LONGOPT]... [FILE]..."

// tarring is one run of tar.
type tarring struct {
	*Call
	o        *options
	dir      string // -C
	list     io.Writer
	code     int
	stripped bool // the message about leading slashes was printed
	packed   bool // there is a member
}

// tarApplet packs, unpacks and lists archives, plain or compressed with gzip:
// what kubectl cp needs, and what people type.
func tarApplet(c *Call) int {
	if len(c.Args) > 0 && !strings.HasPrefix(c.Args[0], "-") {
		c.Args = oldTarFlags(c.Args)
	}
	o, ok := c.parse("cxtf:C:vzmpohkOe:S:n", map[string]byte{
		"create": 'c', "extract": 'x', "get": 'x', "list": 't', "file": 'f', "directory": 'C', "verbose": 'v', "gzip": 'z',
		"touch": 'm', "same-permissions": 'p', "preserve-permissions": 'p', "no-same-owner": 'o', "no-same-permissions": 'n', "dereference": 'h',
		"keep-old-files": 'k', "to-stdout": 'O', "exclude": 'e', "strip-components": 'S', "overwrite": 'n',
	}, tarUsage)
	if !ok {
		return c.tarFailure()
	}
	t := &tarring{Call: c, o: o, dir: o.value('C'), list: c}
	if t.dir != "" && !c.isDir(t.dir) {
		if c.style == GNU {
			c.fail("%s: Cannot open: %v", t.dir, vfs.ENOENT)
			c.fail("Error is not recoverable: exiting now")
			return 2
		}
		return c.fail("can't change directory to '%s': %v", t.dir, vfs.ENOENT)
	}
	switch {
	case o.has('c'):
		return t.create()
	case o.has('x'), o.has('t'):
		return t.extract()
	case c.style == GNU:
		c.fail("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
		_ = c.usage("")
		return 2
	}
	return c.usage(tarUsage)
}

// oldTarFlags makes -c -f FILE of the cf FILE that tar has always taken.
func oldTarFlags(args []string) []string {
	flags, rest := args[0], args[1:]
	var out []string
	for i := range len(flags) {
		out = append(out, "-"+flags[i:i+1])
		if strings.IndexByte("fC", flags[i]) >= 0 && len(rest) > 0 {
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	return append(out, rest...)
}

// tarFailure is the exit code of a failure.
func (c *Call) tarFailure() int {
	if c.style == GNU {
		return 2
	}
	return 1
}

// trouble reports something about one file; the others go on.
func (t *tarring) trouble(name, doing string, err error) {
	t.code = t.tarFailure()
	if t.style == GNU {
		t.fail("%s: Cannot %s: %v", name, doing, err)
		return
	}
	t.fail("%s: %v", name, err)
}

// done is the exit code at the end.
func (t *tarring) done() int {
	switch {
	case t.code == 0:
	case t.style == GNU:
		t.fail("Exiting with failure status due to previous errors")
	default:
		t.fail("error exit delayed from previous errors")
	}
	return t.code
}

// at is where a member lies in the file system.
func (t *tarring) at(name string) string {
	if t.dir == "" {
		return name
	}
	return vfs.Join(t.Abs(t.dir), name)
}

// member is a file's name in an archive: without a leading slash.
func (t *tarring) member(name string) string {
	short := strings.TrimLeft(name, "/")
	if short != name && !t.stripped {
		t.stripped = true
		if t.style == GNU {
			t.fail("Removing leading `/' from member names")
		} else {
			t.fail("removing leading '/' from member names")
		}
	}
	if short == "" {
		return "./"
	}
	return short
}

// pathMax is PATH_MAX. Unit: bytes.
const pathMax = 4096

func (t *tarring) excluded(name string) bool {
	if len(name) > pathMax {
		return false // there is no such file
	}
	for _, pattern := range t.o.values['e'] {
		pattern = pattern[:min(len(pattern), pathMax)]
		for rest := strings.Trim(name, "/"); ; {
			t.Work(64 + len(rest)*(1+len(pattern)/16))
			if ok, _ := path.Match(pattern, rest); ok || pattern == rest {
				return true
			}
			_, after, more := strings.Cut(rest, "/")
			if !more {
				break
			}
			rest = after
		}
	}
	return false
}

// create packs.
func (t *tarring) create() int {
	if len(t.o.rest) == 0 {
		if t.style == GNU {
			t.fail("Cowardly refusing to create an empty archive")
			return 2
		}
		return t.fail("empty archive")
	}
	var out io.WriteCloser = nopWriteCloser{t.Call}
	if file := t.o.value('f'); file != "" && file != "-" {
		w, err := t.Call.create(file, vfs.Truncate)
		if err != nil {
			return t.cannotOpen(file, err)
		}
		out = w
	} else {
		t.list = t.Stderr()
	}
	pack := io.Writer(out)
	if t.o.has('z') {
		z := gzip.NewWriter(out)
		pack = packing{t.Call, z}
		defer func() { _ = z.Close(); _ = out.Close() }() // its reader finds that something is missing
	} else {
		defer func() { _ = out.Close() }() // as above
	}
	w := tar.NewWriter(pack)
	for _, name := range t.o.rest {
		t.add(w, name)
	}
	if t.code != 0 && !t.packed {
		// Deviation: the real one ends its archive all the same. kubectl cp takes that end
		// for a success, and stops before it hears of the failure.
		// https://github.com/kubernetes/kubectl/issues/980
		return t.done()
	}
	if err := w.Close(); err != nil {
		return t.fail("write error: %v", err)
	}
	return t.done()
}

// packing accounts for compressing.
type packing struct {
	c *Call
	w io.Writer
}

func (p packing) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		part := b[done:min(len(b), done+outMax)]
		p.c.Work(16 * len(part))
		n, err := p.w.Write(part)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

type nopWriteCloser struct{ *Call }

func (nopWriteCloser) Close() error { return nil }

// add packs a file, or a directory with all that is in it.
func (t *tarring) add(w *tar.Writer, name string) {
	t.Step(1)
	if t.excluded(name) {
		return
	}
	stat := t.Lstat
	if t.o.has('h') {
		stat = t.Stat
	}
	in, err := stat(t.at(name))
	if err != nil {
		t.trouble(name, "stat", err)
		return
	}
	h := &tar.Header{
		Name: t.member(name), Mode: int64(in.Mode().Perm()), ModTime: in.ModTime(), Uid: int(in.UID()), Gid: int(in.GID()),
		Uname: t.idName("/etc/passwd", in.UID()), Gname: t.idName("/etc/group", in.GID()),
	}
	switch {
	case in.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimRight(h.Name, "/")+"/"
	case in.Mode()&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, in.Target()
	case in.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, in.Size()
	default:
		return // a device
	}
	if t.o.has('v') {
		_, _ = io.WriteString(t.list, h.Name+"\n")
	}
	if err := w.WriteHeader(h); err != nil {
		t.trouble(name, "write", err)
		return
	}
	t.packed = true
	switch h.Typeflag {
	case tar.TypeReg:
		t.pack(w, name, h.Size)
	case tar.TypeDir:
		entries, err := t.ReadDir(t.at(name))
		if err != nil {
			t.trouble(name, "open", err)
		}
		for _, e := range entries {
			t.add(w, strings.TrimRight(name, "/")+"/"+e.Name())
		}
	}
}

// pack writes a file's contents: size bytes, whatever becomes of it meanwhile.
func (t *tarring) pack(w io.Writer, name string, size int64) {
	r, err := t.open(t.at(name))
	if err != nil {
		t.trouble(name, "open", err)
		r = io.NopCloser(strings.NewReader(""))
	}
	defer func() { _ = r.Close() }() // it was only read
	n, err := io.Copy(w, io.LimitReader(r, size))
	if err != nil {
		t.trouble(name, "read", err)
	}
	_, _ = w.Write(make([]byte, size-n)) // as above: the archive stays whole
}
