package applet

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// extract unpacks or lists an archive.
func (t *tarring) extract() int {
	in := io.NopCloser(t.Stdin())
	if file := t.o.value('f'); file != "" && file != "-" {
		r, err := t.open(file)
		if err != nil {
			return t.cannotOpen(file, err)
		}
		in = r
	}
	defer func() { _ = in.Close() }() // it was only read
	packed := bufio.NewReader(in)
	var r io.Reader = packed
	// As tar does, whether it is compressed is seen by how it begins.
	if head, _ := packed.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(packed)
		if err != nil {
			return t.notTar()
		}
		r = metered{t.Call, z}
	}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			// What follows the end is read, so that its writer does not block.
			_, _ = io.Copy(io.Discard, packed) // there is nothing in it
			return t.done()
		}
		if err != nil {
			return t.notTar()
		}
		t.Step(1)
		t.unpack(h, archive)
	}
}

// metered accounts for what is read from an archive, which may be far more than it
// was made of.
type metered struct {
	c *Call
	r io.Reader
}

func (m metered) Read(b []byte) (int, error) {
	n, err := m.r.Read(b[:min(len(b), outMax)])
	m.c.StepBytes(2 * n)
	return n, err
}

func (t *tarring) notTar() int {
	if t.style == GNU {
		t.fail("This does not look like a tar archive")
		t.code = 2
		return t.done()
	}
	return t.fail("short read")
}

// wanted tells whether a member was named, or none was.
func (t *tarring) wanted(name string) bool {
	name = strings.TrimSuffix(name, "/")
	for _, w := range t.o.rest {
		w = strings.TrimSuffix(w, "/")
		if name == w || strings.HasPrefix(name, w+"/") {
			return !t.excluded(name)
		}
	}
	return len(t.o.rest) == 0 && !t.excluded(name)
}

// unpack makes one member's file, or prints its name.
func (t *tarring) unpack(h *tar.Header, r io.Reader) {
	if !t.wanted(h.Name) {
		return
	}
	if t.o.has('t') {
		t.describe(h)
		return
	}
	name := t.strip(t.member(h.Name))
	if name == "" {
		return
	}
	if t.o.has('v') {
		_, _ = io.WriteString(t.list, h.Name+"\n")
	}
	if t.o.has('O') {
		if h.Typeflag == tar.TypeReg {
			_, _ = io.Copy(t.Call, r) // a write error ends the program
		}
		return
	}
	to := t.Abs(t.at(name))
	if dir := to[:strings.LastIndexByte(to, '/')]; dir != "" {
		_ = t.FS().MkdirAll(dir, 0o777&^fs.FileMode(t.Umask), t.User()) // what follows tells if there is none
	}
	if err := t.put(to, h, r); err != nil {
		if t.style == GNU {
			t.trouble(h.Name, "open", err)
		} else {
			t.code = t.fail("can't open '%s': %v", h.Name, err)
		}
		return
	}
	t.attributes(to, h)
}

// strip takes directories off a name, as --strip-components says.
func (t *tarring) strip(name string) string {
	n, _ := strconv.Atoi(t.o.value('S'))
	parts := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for _, part := range parts {
		if part == ".." {
			t.code = t.fail("name with '..' encountered: '%s'", name)
			return ""
		}
	}
	return strings.Join(parts[min(n, len(parts)):], "/")
}

// put makes the file. What is in its way goes, but for a directory.
func (t *tarring) put(to string, h *tar.Header, r io.Reader) error {
	u := t.User()
	if h.Typeflag == tar.TypeDir {
		err := t.FS().Mkdir(to, fs.FileMode(h.Mode)&0o777|0o700, u)
		if err == vfs.EEXIST {
			return nil
		}
		return err
	}
	if in, err := t.FS().Lstat(to, u); err == nil && !in.IsDir() {
		if t.o.has('k') {
			return vfs.EEXIST
		}
		if err := t.FS().Remove(to, u); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return t.FS().Symlink(h.Linkname, to, u)
	case tar.TypeLink:
		return t.FS().Link(t.Abs(t.at(h.Linkname)), to, u)
	case tar.TypeReg:
		w, err := t.Call.create(to, vfs.Truncate)
		if err != nil {
			return err
		}
		defer func() { _ = w.Close() }() // each write has told
		_, err = io.Copy(w, r)
		return err
	}
	return nil // a device
}

// attributes gives the file the member's mode, owner and time. A user other than
// root gets files of their own.
func (t *tarring) attributes(to string, h *tar.Header) {
	u := t.User()
	if h.Typeflag == tar.TypeSymlink {
		return
	}
	if u.UID == 0 && !t.o.has('o') {
		_ = t.FS().Chown(to, int64(h.Uid), int64(h.Gid), u) // root may
	}
	mode := fs.FileMode(h.Mode) & 0o777
	if t.o.has('n') && !t.o.has('p') {
		mode &^= fs.FileMode(t.Umask)
	}
	_ = t.FS().Chmod(to, mode, u) // it is the user's own
	if !t.o.has('m') {
		_ = t.FS().Chtimes(to, h.ModTime, u) // as above
	}
}

// describe lists a member.
func (t *tarring) describe(h *tar.Header) {
	if !t.o.has('v') {
		t.print(h.Name + "\n")
		return
	}
	kind := map[byte]string{tar.TypeDir: "d", tar.TypeSymlink: "l"}[h.Typeflag]
	if kind == "" {
		kind = "-"
	}
	link := ""
	if h.Linkname != "" {
		link = " -> " + h.Linkname
	}
	t.printf("%s%s %s/%s %9d %s %s%s\n", kind, fs.FileMode(h.Mode & 0o777).String()[1:], h.Uname, h.Gname, h.Size,
		h.ModTime.UTC().Format("2006-01-02 15:04:05"), h.Name, link)
}
