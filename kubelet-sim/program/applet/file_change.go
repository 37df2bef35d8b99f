package applet

import (
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func changeFamily(name string) Func {
	switch name {
	case "touch":
		return touch
	case "mkdir":
		return mkdir
	case "rmdir":
		return rmdir
	case "rm":
		return rm
	case "unlink":
		return func(c *Call) int { return c.removeFiles(c.Args, false, false, false) }
	case "cp":
		return cp
	case "mv":
		return mv
	case "ln":
		return ln
	case "link":
		return link
	case "chmod":
		return chmod
	case "chown", "chgrp":
		return chown
	case "truncate":
		return truncate
	case "mktemp":
		return mktemp
	case "sync":
		return func(*Call) int { return 0 }
	case "install":
		return cp
	}
	return nil
}

func touch(c *Call) int {
	o, ok := c.parse("cahmd:t:r:", map[string]byte{"no-create": 'c', "date": 'd', "reference": 'r'}, "[-cham] [-d DATE] [-t DATE] [-r FILE] FILE...")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		if c.style == GNU {
			c.fail("missing file operand")
		}
		return c.usage("[-cham] [-d DATE] [-t DATE] [-r FILE] FILE...")
	}
	when := c.Now()
	if text := o.value('d') + o.value('t'); text != "" {
		t, ok := parseDate(text, c.Now(), c.location())
		if !ok {
			return c.fail("invalid date '%s'", text)
		}
		when = t
	}
	if name := o.value('r'); name != "" {
		in, err := c.Stat(name)
		if err != nil {
			return c.fail("%s: %v", name, err)
		}
		when = in.ModTime()
	}
	code := 0
	for _, name := range o.rest {
		if err := c.touchOne(name, when, o.has('c')); err != nil {
			if c.style == GNU {
				code = c.fail("cannot touch '%s': %v", name, err)
			} else {
				code = c.fail("%s: %v", name, err)
			}
		}
	}
	return code
}

func (c *Call) touchOne(name string, when time.Time, exists bool) error {
	_, err := c.Stat(name)
	if err == vfs.ENOENT {
		if exists {
			return nil
		}
		w, err := c.create(name, 0)
		if err != nil {
			return err
		}
		_ = w.Close()
	} else if err != nil {
		return err
	}
	return c.FS().Chtimes(c.Abs(name), when, c.User())
}

func mkdir(c *Call) int {
	o, ok := c.parse("pm:v", map[string]byte{"parents": 'p', "mode": 'm', "verbose": 'v'}, "[-m MODE] [-p] DIRECTORY...")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		if c.style == GNU {
			c.fail("missing operand")
		}
		return c.usage("[-m MODE] [-p] DIRECTORY...")
	}
	mode := fs.FileMode(0o777 &^ c.Umask)
	if o.has('m') {
		mode, ok = parseMode(o.value('m'), 0o777, c.Umask)
		if !ok {
			return c.fail("invalid mode '%s'", o.value('m'))
		}
	}
	code := 0
	for _, name := range o.rest {
		var err error
		if o.has('p') {
			err = c.FS().MkdirAll(c.Abs(name), mode, c.User())
			if err == vfs.ENOTDIR {
				if in, serr := c.Stat(name); serr == nil && !in.IsDir() {
					err = vfs.EEXIST
				}
			}
		} else {
			err = c.FS().Mkdir(c.Abs(name), mode, c.User())
		}
		if err != nil {
			code = c.cannot("create directory", name, err)
		} else if o.has('v') {
			c.print("created directory: '" + name + "'\n")
		}
	}
	return code
}

func rmdir(c *Call) int {
	o, ok := c.parse("p", map[string]byte{"parents": 'p', "ignore-fail-on-non-empty": 'i'}, "[-p] DIRECTORY...")
	if !ok {
		return 1
	}
	code := 0
	names := o.rest
	if o.has('p') {
		names = nil
		for _, name := range o.rest {
			for ; name != "." && name != "/"; name = path.Dir(name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		in, err := c.Lstat(name)
		if err == nil && !in.IsDir() {
			err = vfs.ENOTDIR
		}
		if err == nil {
			err = c.FS().Remove(c.Abs(name), c.User())
		}
		switch {
		case err == nil:
		case c.style == GNU:
			code = c.fail("failed to remove '%s': %v", name, err)
		default:
			code = c.fail("'%s': %v", name, err)
		}
	}
	return code
}

func rm(c *Call) int {
	o, ok := c.parse("rRfiv", map[string]byte{"recursive": 'r', "force": 'f', "verbose": 'v'}, "[-irf] FILE...\n\nRemove (unlink) FILEs")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 && !o.has('f') {
		if c.style == GNU {
			c.fail("missing operand")
		}
		return c.usage("[-irf] FILE...\n\nRemove (unlink) FILEs")
	}
	return c.removeFiles(o.rest, o.has('r') || o.has('R'), o.has('f'), o.has('v'))
}

func (c *Call) removeFiles(names []string, recursive, force, verbose bool) int {
	code := 0
	for _, name := range names {
		if b := base(name); b == "." || b == ".." {
			code = c.fail("refusing to remove '.' or '..' directory: skipping '%s'", name)
			continue
		}
		in, err := c.Lstat(name)
		switch {
		case err == vfs.ENOENT && force:
			continue
		case err != nil:
			code = c.cannot("remove", name, err)
			continue
		case in.IsDir() && !recursive:
			if c.style == GNU {
				code = c.fail("cannot remove '%s': Is a directory", name)
			} else {
				code = c.fail("'%s' is a directory", name)
			}
			continue
		}
		if c.style == GNU && vfs.Clean(c.Abs(name)) == "/" {
			c.fail("it is dangerous to operate recursively on '/'")
			code = c.fail("use --no-preserve-root to override this failsafe")
			continue
		}
		if !c.removeTree(name, in.IsDir()) {
			code = 1
		} else if verbose {
			c.print("removed '" + name + "'\n")
		}
	}
	return code
}

// removeTree removes what it can and reports the rest.
func (c *Call) removeTree(name string, isDir bool) bool {
	c.Step(1)
	ok := true
	if isDir {
		list, err := c.ReadDir(name)
		if err != nil {
			c.cannot("remove", name, err)
			return false
		}
		for _, e := range list {
			if !c.removeTree(vfs.Join(name, e.Name()), e.IsDir()) {
				ok = false
			}
		}
	}
	if !ok {
		return false
	}
	if err := c.FS().Remove(c.Abs(name), c.User()); err != nil {
		c.cannot("remove", name, err)
		return false
	}
	return true
}

// into is the path that a file gets when it is copied or moved to target.
func (c *Call) into(name, target string, isDir bool) string {
	if isDir {
		return strings.TrimRight(target, "/") + "/" + base(name)
	}
	return target
}

func (c *Call) isDir(name string) bool {
	in, err := c.Stat(name)
	return err == nil && in.IsDir()
}
