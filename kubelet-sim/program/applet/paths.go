package applet

import (
	"strings"
)

func readlink(c *Call) int {
	o, ok := c.parse("fnvem", map[string]byte{"canonicalize": 'f'}, "[-fnv] FILE")
	if !ok {
		return 1
	}
	for _, name := range o.rest {
		var to string
		var err error
		if o.has('f') || o.has('e') || o.has('m') {
			to, err = c.FS().Realpath(c.Abs(name), c.User())
		} else {
			to, err = c.FS().Readlink(c.Abs(name), c.User())
		}
		if err != nil {
			return 1
		}
		c.print(to)
		if !o.has('n') {
			c.print("\n")
		}
	}
	return 0
}

func realpath(c *Call) int {
	code := 0
	for _, name := range c.Args {
		to, err := c.FS().Realpath(c.Abs(name), c.User())
		if err == nil && c.style == Busybox {
			_, err = c.Stat(name)
		}
		if err != nil {
			code = c.fail("%s: %v", name, err)
			continue
		}
		c.print(to + "\n")
	}
	return code
}

func basename(c *Call) int {
	o, ok := c.parse("+as:z", nil, "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...")
	if !ok {
		return 1
	}
	if len(o.rest) == 0 {
		if c.style == GNU {
			c.fail("missing operand")
		}
		return c.usage("FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...")
	}
	suffix, names := o.value('s'), o.rest
	if !o.has('a') && !o.has('s') {
		names = o.rest[:1]
		if len(o.rest) > 1 {
			suffix = o.rest[1]
		}
	}
	for _, name := range names {
		b := base(name)
		if b != suffix {
			b = strings.TrimSuffix(b, suffix)
		}
		c.print(b + "\n")
	}
	return 0
}

func dirname(c *Call) int {
	for _, name := range c.Args {
		trimmed := strings.TrimRight(name, "/")
		i := strings.LastIndexByte(trimmed, '/')
		switch {
		case trimmed == "" && name != "":
			c.print("/\n")
		case i < 0:
			c.print(".\n")
		default:
			dir := strings.TrimRight(trimmed[:i], "/")
			if dir == "" {
				dir = "/"
			}
			c.print(dir + "\n")
		}
	}
	return 0
}

func mount(c *Call) int {
	if len(c.Args) > 0 {
		return c.fail("permission denied (are you root?)")
	}
	data, err := c.ReadFile("/proc/mounts", databaseMax)
	if err != nil {
		return c.fail("no /proc/mounts")
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 3 {
			c.printf("%s on %s type %s (%s)\n", f[0], f[1], f[2], f[3])
		}
	}
	return 0
}
