package applet

import (
	"io/fs"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func mv(c *Call) int {
	o, ok := c.parse("fintvT", map[string]byte{"force": 'f', "verbose": 'v', "no-clobber": 'n'}, "[-finT] SOURCE... DEST")
	if !ok {
		return 1
	}
	names, target, ok := c.operands(o)
	if !ok {
		return 1
	}
	dir := c.isDir(target) && !o.has('T')
	if len(names) > 1 && !dir {
		return c.fail("target '%s' is not a directory", target)
	}
	code := 0
	for _, name := range names {
		to := c.into(name, target, dir)
		if _, err := c.Lstat(to); err == nil && o.has('n') {
			continue
		}
		err := c.FS().Rename(c.Abs(name), c.Abs(to), c.User())
		if err == vfs.EXDEV {
			if code = c.copyTree(name, to, copyOptions{recursive: true, preserve: true}); code == 0 {
				c.removeTree(name, c.isDir(name))
			}
			err = nil
		}
		switch {
		case err == vfs.ENOENT && c.style == GNU:
			code = c.fail("cannot stat '%s': %v", name, err)
		case err != nil && c.style == GNU:
			code = c.fail("cannot move '%s' to '%s': %v", name, to, err)
		case err != nil:
			code = c.fail("can't rename '%s': %v", name, err)
		case o.has('v') && c.style == GNU:
			c.print("renamed '" + name + "' -> '" + to + "'\n")
		case o.has('v'):
			c.print("'" + name + "' -> '" + to + "'\n")
		}
	}
	return code
}

// operands are the sources and the target of cp and mv.
func (c *Call) operands(o *options) (names []string, target string, ok bool) {
	if len(o.rest) < 2 {
		if c.style == GNU {
			if len(o.rest) == 0 {
				c.fail("missing file operand")
			} else {
				c.fail("missing destination file operand after '%s'", o.rest[0])
			}
		}
		c.usage("[OPTIONS] SOURCE... DEST")
		return nil, "", false
	}
	n := len(o.rest) - 1
	return o.rest[:n], o.rest[n], true
}

// copyOptions are those of cp.
type copyOptions struct{ recursive, preserve, noFollow, verbose, noClobber bool }

func cp(c *Call) int {
	o, ok := c.parse("arRdpfinvLPHTsluDm:o:g:", map[string]byte{"recursive": 'r', "archive": 'a', "force": 'f', "verbose": 'v', "no-clobber": 'n', "preserve": 'p'}, "[-arPLHpfinlsTu] SOURCE DEST\nor: cp [-arPLHpfinlsu] SOURCE... { -t DIRECTORY | DIRECTORY }")
	if !ok {
		return 1
	}
	names, target, ok := c.operands(o)
	if !ok {
		return 1
	}
	dir := c.isDir(target) && !o.has('T')
	if len(names) > 1 && !dir {
		return c.fail("target '%s' is not a directory", target)
	}
	opts := copyOptions{
		recursive: o.has('r') || o.has('R') || o.has('a'), preserve: o.has('p') || o.has('a'),
		noFollow: o.has('a') || o.has('d') || o.has('P'), verbose: o.has('v'), noClobber: o.has('n'),
	}
	code := 0
	for _, name := range names {
		if c.copyTree(name, c.into(name, target, dir), opts) != 0 {
			code = 1
		}
	}
	return code
}

func (c *Call) copyTree(name, to string, o copyOptions) int {
	c.Step(1)
	stat := c.Stat
	if o.noFollow {
		stat = c.Lstat
	}
	in, err := stat(name)
	if err != nil {
		return c.cannot("stat", name, err)
	}
	if existing, err := c.Stat(to); err == nil {
		if existing.Same(in) {
			return c.fail("'%s' and '%s' are the same file", name, to)
		}
		if o.noClobber {
			return 0
		}
	}
	code := 0
	switch {
	case in.IsDir() && !o.recursive:
		if c.style == GNU {
			return c.fail("-r not specified; omitting directory '%s'", name)
		}
		return c.fail("omitting directory '%s'", name)
	case in.IsDir():
		code = c.copyDir(name, to, in, o)
	case in.Mode()&fs.ModeSymlink != 0:
		_ = c.FS().Remove(c.Abs(to), c.User())
		err = c.FS().Symlink(in.Target(), c.Abs(to), c.User())
	default:
		err = c.copyFile(name, to, in)
	}
	if err != nil {
		if c.style == GNU {
			return c.fail("cannot create regular file '%s': %v", to, err)
		}
		return c.fail("can't create '%s': %v", to, err)
	}
	if o.preserve && in.Mode()&fs.ModeSymlink == 0 {
		_ = c.FS().Chown(c.Abs(to), int64(in.UID()), int64(in.GID()), c.User())
		_ = c.FS().Chmod(c.Abs(to), in.Mode(), c.User())
		_ = c.FS().Chtimes(c.Abs(to), in.ModTime(), c.User())
	}
	if o.verbose {
		c.print("'" + name + "' -> '" + to + "'\n")
	}
	return code
}

func (c *Call) copyDir(name, to string, in vfs.Info, o copyOptions) int {
	if strings.HasPrefix(vfs.Clean(c.Abs(to))+"/", vfs.Clean(c.Abs(name))+"/") {
		return c.fail("recursion detected, omitting directory '%s'", name)
	}
	if !c.isDir(to) {
		if err := c.FS().Mkdir(c.Abs(to), in.Mode().Perm()|0o700, c.User()); err != nil {
			return c.cannot("create directory", to, err)
		}
	}
	list, err := c.ReadDir(name)
	if err != nil {
		return c.cannotOpen(name, err)
	}
	code := 0
	for _, e := range list {
		if c.copyTree(name+"/"+e.Name(), to+"/"+e.Name(), o) != 0 {
			code = 1
		}
	}
	return code
}

func (c *Call) copyFile(name, to string, in vfs.Info) error {
	r, err := c.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	o, err := c.OpenFile(to, vfs.Write|vfs.Create|vfs.Truncate, in.Mode().Perm())
	if err != nil {
		return err
	}
	w := c.ReaderOf(o)
	defer func() { _ = w.Close() }()
	buf := make([]byte, 8192)
	for {
		n, rerr := r.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if rerr != nil || n == 0 {
			return nil
		}
	}
}
