package applet

import (
	"io/fs"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func ln(c *Call) int {
	o, ok := c.parse("sfnbvrT", map[string]byte{"symbolic": 's', "force": 'f'}, "[-sfnbtv] [-S SUF] TARGET... LINK|DIR")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		return c.usage("[-sfnbtv] [-S SUF] TARGET... LINK|DIR")
	}
	names, target := o.rest, "."
	if len(names) > 1 {
		names, target = names[:len(names)-1], names[len(names)-1]
	}
	dir := c.isDir(target)
	if in, err := c.Lstat(target); err == nil && o.has('n') && in.Mode()&fs.ModeSymlink != 0 {
		dir = false
	}
	code := 0
	for _, name := range names {
		to := c.into(name, target, dir)
		if o.has('f') {
			_ = c.FS().Remove(c.Abs(to), c.User())
		}
		var err error
		at := to
		if o.has('s') {
			err = c.FS().Symlink(name, c.Abs(to), c.User())
		} else {
			if err = c.FS().Link(c.Abs(name), c.Abs(to), c.User()); err == vfs.ENOENT {
				at = name
			}
		}
		switch {
		case err == nil:
		case c.style == GNU:
			code = c.fail("failed to create %s '%s': %v", map[bool]string{true: "symbolic link", false: "hard link"}[o.has('s')], to, err)
		default:
			code = c.fail("%s: %v", at, err)
		}
	}
	return code
}

func link(c *Call) int {
	if len(c.Args) != 2 {
		if c.style == GNU && len(c.Args) == 0 {
			c.fail("missing operand")
		}
		return c.usage("FILE LINK")
	}
	if err := c.FS().Link(c.Abs(c.Args[0]), c.Abs(c.Args[1]), c.User()); err != nil {
		if c.style == GNU {
			return c.fail("cannot create link '%s' to '%s': %v", c.Args[1], c.Args[0], err)
		}
		return c.fail("can't create hardlink '%s' to '%s': %v", c.Args[1], c.Args[0], err)
	}
	return 0
}

func truncate(c *Call) int {
	o, ok := c.parse("cs:", map[string]byte{"size": 's'}, "[-c] -s SIZE FILE...")
	if !ok {
		return 1
	}
	n, _, ok := count(strings.Replace(o.value('s'), "G", "", 1))
	if !ok {
		return c.fail("invalid number '%s'", o.value('s'))
	}
	if strings.HasSuffix(o.value('s'), "G") {
		n <<= 30
	}
	code := 0
	for _, name := range o.rest {
		if err := c.touchOne(name, c.Now(), o.has('c')); err != nil {
			code = c.cannotOpen(name, err)
			continue
		}
		c.Work(int(min(n, vfs.SizeMax)))
		if err := c.FS().Resize(c.Abs(name), n, c.User()); err != nil {
			code = c.fail("%s: truncate: %v", name, err)
		}
	}
	return code
}

// tempLetters are what mktemp's names are made of.
const tempLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func mktemp(c *Call) int {
	o, ok := c.parse("dqtp:u", map[string]byte{"directory": 'd', "quiet": 'q', "tmpdir": 'p'}, "[-dt] [-p DIR] [TEMPLATE]")
	if !ok {
		return 1
	}
	dir := o.value('p')
	if dir == "" {
		if dir = c.Getenv("TMPDIR"); dir == "" {
			dir = "/tmp"
		}
	}
	template := "tmp.XXXXXX"
	if c.style == GNU {
		template = "tmp.XXXXXXXXXX"
	}
	if len(o.rest) > 0 {
		template = o.rest[0]
		if !o.has('t') && !o.has('p') {
			dir = ""
		}
	}
	start := len(strings.TrimRight(template, "X"))
	if len(template)-start < 6 && c.style == Busybox || len(template)-start < 3 {
		if c.style == GNU {
			return c.fail("too few X's in template '%s'", template)
		}
		return c.fail("Invalid argument")
	}
	if dir != "" {
		template, start = dir+"/"+template, start+len(dir)+1
	}
	for range 100 {
		name := []byte(template)
		for i := start; i < len(name); i++ {
			name[i] = tempLetters[c.Machine().Random()%uint64(len(tempLetters))]
		}
		err := c.makeTemp(string(name), o.has('d'))
		if err == vfs.EEXIST {
			continue
		}
		if err != nil {
			return c.fail("(null): %v", err)
		}
		c.print(string(name) + "\n")
		return 0
	}
	return c.fail("(null): %v", vfs.EEXIST)
}

func (c *Call) makeTemp(name string, dir bool) error {
	if dir {
		return c.FS().Mkdir(c.Abs(name), 0o700, c.User())
	}
	o, err := c.OpenFile(name, vfs.Write|vfs.Create|vfs.Exclusive, 0o600)
	if err == nil {
		o.Release(c.Proc)
	}
	return err
}
