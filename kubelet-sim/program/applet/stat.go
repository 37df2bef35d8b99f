package applet

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

func stat(c *Call) int {
	o, ok := c.parse("fLtc:", map[string]byte{"format": 'c', "dereference": 'L', "file-system": 'f'}, "[-ltf] [-c FMT] FILE...")
	if !ok {
		return 1
	}
	code := 0
	for _, name := range o.rest {
		get := c.Lstat
		if o.has('L') {
			get = c.Stat
		}
		in, err := get(name)
		switch {
		case err != nil:
			code = c.cannot("stat", name, err)
		case o.has('f'):
			c.printf("  File: \"%s\"\n    ID: 0 Namelen: 255     Type: %s\n", name, in.FSType())
		case o.has('c'):
			c.statFormat(o.value('c'), name, in)
			c.print("\n")
		default:
			c.statLong(name, in)
		}
	}
	return code
}

func fileKind(in fileInfo) string {
	switch m := in.Mode(); {
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeCharDevice != 0:
		return "character special file"
	case in.Size() == 0:
		return "regular empty file"
	}
	return "regular file"
}

// statFormat prints what -c asks for.
func (c *Call) statFormat(format, name string, in fileInfo) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			c.print(format[i : i+1])
			continue
		}
		i++
		switch format[i] {
		case 'n':
			c.print(name)
		case 'N':
			c.print("'" + name + "'")
		case 's':
			c.printf("%v", in.Size())
		case 'a':
			c.printf("%o", octalMode(in.Mode()))
		case 'A':
			c.print(modeString(in.Mode()))
		case 'u':
			c.printf("%v", in.UID())
		case 'g':
			c.printf("%v", in.GID())
		case 'U':
			c.print(c.idName("/etc/passwd", in.UID()))
		case 'G':
			c.print(c.idName("/etc/group", in.GID()))
		case 'i':
			c.printf("%v", in.Inode())
		case 'h':
			c.printf("%v", in.Links())
		case 'F':
			c.print(fileKind(in))
		case 'Y', 'X', 'Z':
			c.printf("%v", in.ModTime().Unix())
		case 'y', 'x', 'z':
			c.print(in.ModTime().In(c.location()).Format("2006-01-02 15:04:05.000000000 -0700"))
		case 'T':
			c.print(in.FSType())
		case '%':
			c.print("%")
		default:
			c.print("?")
		}
	}
}

func (c *Call) statLong(name string, in fileInfo) {
	shown := name
	if in.Mode()&fs.ModeSymlink != 0 {
		shown = "'" + name + "' -> '" + in.Target() + "'"
	}
	when := in.ModTime().In(c.location()).Format("2006-01-02 15:04:05.000000000 -0700")
	c.printf("  File: %s\n  Size: %-10d\tBlocks: %-10d IO Block: 4096   %s\nDevice: 0,50\tInode: %-11d Links: %d\n",
		shown, in.Size(), (in.Size()+511)/512, fileKind(in), in.Inode(), in.Links())
	c.printf("Access: (%04o/%s)  Uid: (%5d/%8s)   Gid: (%5d/%8s)\nAccess: %s\nModify: %s\nChange: %s\n",
		octalMode(in.Mode()), modeString(in.Mode()), in.UID(), c.idName("/etc/passwd", in.UID()),
		in.GID(), c.idName("/etc/group", in.GID()), when, when, when)
}

func du(c *Call) int {
	o, ok := c.parse("aHLdclsxhmkbd:", map[string]byte{"summarize": 's', "human-readable": 'h', "all": 'a', "max-depth": 'd', "bytes": 'b'}, "[-aHLdclsxhmk] [FILE]...")
	if !ok {
		return 1
	}
	names := o.rest
	if len(names) == 0 {
		names = []string{"."}
	}
	depth := 1 << 30
	if n, err := strconv.Atoi(o.value('d')); err == nil {
		depth = n
	}
	if o.has('s') {
		depth = 0
	}
	code := 0
	for _, name := range names {
		in, err := c.Lstat(name)
		if err != nil {
			if c.style == GNU {
				code = c.fail("cannot access '%s': %v", name, err)
			} else {
				code = c.fail("%s: %v", name, err)
			}
			continue
		}
		c.diskUsage(o, name, in, depth, true)
	}
	return code
}

func (c *Call) diskUsage(o *options, name string, in fileInfo, depth int, show bool) int64 {
	c.Step(1)
	total := (in.Size() + 4095) / 4096 * 4096
	if in.Mode()&fs.ModeSymlink != 0 {
		total = 0
	}
	if o.has('b') {
		total = in.Size()
	}
	if in.IsDir() {
		list, _ := c.ReadDir(name)
		for _, e := range list {
			total += c.diskUsage(o, strings.TrimSuffix(name, "/")+"/"+e.Name(), e, depth-1, o.has('a'))
		}
		show = true
	}
	if show && depth >= 0 {
		switch {
		case o.has('h'):
			c.print(human(total))
		case o.has('m'):
			c.printf("%d", (total+1<<20-1)>>20)
		case o.has('b'):
			c.printf("%d", total)
		default:
			c.printf("%d", total/1024)
		}
		c.print("\t" + name + "\n")
	}
	return total
}

func df(c *Call) int {
	o, ok := c.parse("PkmhTaiB:t:", map[string]byte{"human-readable": 'h'}, "[-PkmhTai] [-B SIZE] [-t TYPE] [FILESYSTEM]...")
	if !ok {
		return 1
	}
	type row struct{ fsType, path string }
	rows := []row{{"overlay", "/"}}
	for _, m := range c.FS().Mounts() {
		if m.Type != "proc" {
			rows = append(rows, row{m.Type, m.Path})
		}
	}
	const size, used = int64(100 << 30), int64(20 << 30)
	unit, head := func(n int64) string { return strconv.FormatInt(n/1024, 10) }, "1K-blocks"
	if o.has('h') {
		unit, head = human, "     Size"
	}
	c.printf("Filesystem           %s      Used Available Use%% Mounted on\n", head)
	for _, r := range rows {
		if len(o.rest) > 0 && !slices.ContainsFunc(o.rest, func(n string) bool { return vfs.Clean(c.Abs(n)) == r.path }) {
			continue
		}
		c.printf("%-20s %9s %9s %9s %3d%% %s\n", r.fsType, unit(size), unit(used), unit(size-used), 20, r.path)
	}
	return 0
}
