package applet

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// fileInfo describes a file that walkTree has found.
type fileInfo = vfs.Info

func showFamily(name string) Func {
	switch name {
	case "ls":
		return ls
	case "stat":
		return stat
	case "du":
		return du
	case "df":
		return df
	case "readlink":
		return readlink
	case "realpath":
		return realpath
	case "basename":
		return basename
	case "dirname":
		return dirname
	case "pwd":
		return func(c *Call) int { c.print(vfs.Clean(c.Cwd) + "\n"); return 0 }
	case "mount":
		return mount
	}
	return nil
}

// walkTree calls do for a file and all below it, parents first, by name. Where
// do returns false it does not go deeper.
func (c *Call) walkTree(name string, do func(path string, in fileInfo) bool) error {
	in, err := c.Lstat(name)
	if err != nil {
		return err
	}
	c.walkFrom(name, in, do)
	return nil
}

func (c *Call) walkFrom(name string, in fileInfo, do func(path string, in fileInfo) bool) {
	c.Step(1)
	if !do(name, in) || !in.IsDir() {
		return
	}
	list, err := c.ReadDir(name)
	if err != nil {
		c.cannotOpen(name, err)
		return
	}
	for _, e := range list {
		c.walkFrom(strings.TrimSuffix(name, "/")+"/"+e.Name(), e, do)
	}
}

// modeString is a file's mode as ls -l shows it.
func modeString(m fs.FileMode) string {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	}
	s := []byte(string(kind) + m.Perm().String()[1:])
	special := func(at int, bit fs.FileMode, set, unset byte) {
		if m&bit == 0 {
			return
		}
		if s[at] == 'x' {
			s[at] = set
		} else {
			s[at] = unset
		}
	}
	special(3, fs.ModeSetuid, 's', 'S')
	special(6, fs.ModeSetgid, 's', 'S')
	special(9, fs.ModeSticky, 't', 'T')
	return string(s)
}

// octalMode is a file's permission bits with setuid, setgid and sticky.
func octalMode(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		n |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		n |= 0o1000
	}
	return n
}

// idName is the name of a user or group, or its number.
func (c *Call) idName(file string, id uint32) string {
	text := strconv.Itoa(int(id))
	for _, f := range c.database(file) {
		if f[2] == text {
			return f[0]
		}
	}
	return text
}

// lister is one run of ls.
type lister struct {
	c   *Call
	o   *options
	all bool
}

func ls(c *Call) int {
	o, ok := c.parse("1AaCxdLHRFplinshrSXvctukgGoqNw:TI:", map[string]byte{
		"all": 'a', "almost-all": 'A', "recursive": 'R', "human-readable": 'h', "color": 'N', "full-time": 'e', "reverse": 'r', "directory": 'd',
	}, "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...\n\nList directory contents")
	if !ok {
		return max(1, int(c.style)*2)
	}
	l := lister{c: c, o: o, all: o.has('a')}
	names := o.rest
	if len(names) == 0 {
		names = []string{"."}
	}
	code := 0
	var files []fileInfo
	var fileNames, dirs []string
	for _, name := range names {
		in, err := c.Stat(name)
		if err != nil || o.has('d') || o.has('l') && !strings.HasSuffix(name, "/") {
			if link, lerr := c.Lstat(name); lerr == nil && (err != nil || o.has('d') || !in.IsDir()) {
				in, err = link, nil
			}
		}
		switch {
		case err != nil && c.style == GNU:
			c.fail("cannot access '%s': %v", name, err)
			code = 2
		case err != nil:
			code = c.fail("%s: %v", name, err)
		case in.IsDir() && !o.has('d'):
			dirs = append(dirs, name)
		default:
			files = append(files, in)
			fileNames = append(fileNames, name)
		}
	}
	l.list(files, fileNames)
	for i, dir := range dirs {
		if len(names) > 1 || o.has('R') {
			if i > 0 || len(files) > 0 {
				c.print("\n")
			}
			c.print(dir + ":\n")
		}
		if !l.dir(dir) {
			code = 1 + int(c.style)
		}
	}
	return code
}

func (l *lister) dir(name string) bool {
	list, err := l.c.ReadDir(name)
	if err != nil {
		l.c.cannot("open directory", name, err)
		return false
	}
	var shown []fileInfo
	var names []string
	if l.all {
		for _, dot := range [...]string{".", ".."} {
			if in, err := l.c.Stat(name + "/" + dot); err == nil {
				shown, names = append(shown, in), append(names, dot)
			}
		}
	}
	for _, in := range list {
		if strings.HasPrefix(in.Name(), ".") && !l.all && !l.o.has('A') {
			continue
		}
		shown, names = append(shown, in), append(names, in.Name())
	}
	l.c.Step(1 + len(shown)/8)
	if l.o.has('l') {
		blocks := int64(0)
		for _, in := range shown {
			blocks += (in.Size() + 4095) / 4096 * 4
		}
		l.c.printf("total %d\n", blocks)
	}
	l.list(shown, names)
	if !l.o.has('R') {
		return true
	}
	for _, in := range list {
		if in.IsDir() && (l.all || !strings.HasPrefix(in.Name(), ".")) {
			sub := strings.TrimSuffix(name, "/") + "/" + in.Name()
			l.c.print("\n" + sub + ":\n")
			l.dir(sub)
		}
	}
	return true
}

func (l *lister) list(files []fileInfo, names []string) {
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	switch {
	case l.o.has('t'):
		slices.SortStableFunc(order, func(a, b int) int { return files[b].ModTime().Compare(files[a].ModTime()) })
	case l.o.has('S'):
		slices.SortStableFunc(order, func(a, b int) int { return int(files[b].Size() - files[a].Size()) })
	}
	if l.o.has('r') {
		slices.Reverse(order)
	}
	if !l.o.has('l') {
		l.short(files, names, order)
		return
	}
	var rows [][]string
	var widths [7]int
	for _, i := range order {
		row := l.row(files[i])
		for k, s := range row {
			widths[k] = max(widths[k], len(s))
		}
		rows = append(rows, row)
	}
	for k, i := range order {
		row := rows[k]
		if l.o.has('i') {
			l.c.printf("%7d ", files[i].Inode())
		}
		if l.c.style == GNU {
			l.c.printf("%s %*s %-*s %-*s %*s %s ", row[0], widths[1], row[1], widths[2], row[2], widths[3], row[3], widths[4], row[4], row[5])
		} else {
			l.c.printf("%s %4s %-8s %-8s %9s %s ", row[0], row[1], row[2], row[3], row[4], row[5])
		}
		l.name(files[i], names[i])
		if files[i].Mode()&fs.ModeSymlink != 0 {
			l.c.print(" -> " + files[i].Target())
		}
		l.c.print("\n")
	}
}

func (l *lister) name(in fileInfo, name string) {
	l.c.print(name)
	switch {
	case (l.o.has('p') || l.o.has('F')) && in.IsDir():
		l.c.print("/")
	case l.o.has('F') && in.Mode()&fs.ModeSymlink != 0 && !l.o.has('l'):
		l.c.print("@")
	case l.o.has('F') && in.Mode().IsRegular() && in.Mode()&0o111 != 0:
		l.c.print("*")
	}
}

func (l *lister) row(in fileInfo) []string {
	owner, group := strconv.Itoa(int(in.UID())), strconv.Itoa(int(in.GID()))
	if !l.o.has('n') {
		owner, group = l.c.idName("/etc/passwd", in.UID()), l.c.idName("/etc/group", in.GID())
	}
	size := strconv.FormatInt(in.Size(), 10)
	if l.o.has('h') {
		size = human(in.Size())
	}
	if in.Device() != "" {
		size = map[string]string{"null": "1,   3", "zero": "1,   5", "full": "1,   7", "random": "1,   8", "urandom": "1,   9", "tty": "5,   0"}[in.Device()]
	}
	when := in.ModTime().In(l.c.location())
	text := when.Format("Jan _2 15:04")
	if age := l.c.Now().Sub(when); age > 182*24*60*60*1e9 || age < -60*1e9 {
		text = when.Format("Jan _2  2006")
	}
	if l.o.has('e') {
		text = when.Format("2006-01-02 15:04:05 -0700")
	}
	return []string{modeString(in.Mode()), strconv.Itoa(in.Links()), owner, group, size, text}
}

// short lists names alone: one a line, or in columns on a terminal.
func (l *lister) short(files []fileInfo, names []string, order []int) {
	separator := "\n"
	if l.c.IsTTY(1) && !l.o.has('1') {
		separator = "  "
	}
	for k, i := range order {
		if l.o.has('i') {
			l.c.printf("%7d ", files[i].Inode())
		}
		l.name(files[i], names[i])
		if k < len(order)-1 {
			l.c.print(separator)
		}
	}
	if len(order) > 0 {
		l.c.print("\n")
	}
}

// human is a size as -h prints it: 512, 1.5K, 12M.
func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	f := float64(n)
	unit := -1
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	if f < 10 {
		return fmt.Sprintf("%.1f%c", f, "KMGTP"[unit])
	}
	return fmt.Sprintf("%.0f%c", f, "KMGTP"[unit])
}
