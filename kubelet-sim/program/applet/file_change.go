package applet

import (
	"io/fs"
	"strconv"
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
	for _, name := range o.rest {
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

func chown(c *Call) int {
	o, ok := c.parse("RhvcfLHP", map[string]byte{"recursive": 'R'}, "[-Rh]... USER[:[GRP]] FILE...")
	if !ok {
		return 1
	}
	if len(o.rest) < 2 {
		return c.usage("[-Rh]... USER[:[GRP]] FILE...")
	}
	owner, group, hasGroup := strings.Cut(o.rest[0], ":")
	if c.Name == "chgrp" {
		owner, group, hasGroup = "", owner, true
	}
	uid, gid := int64(-1), int64(-1)
	if owner != "" {
		if uid, ok = c.lookupID("/etc/passwd", owner); !ok {
			return c.fail("unknown user %s", owner)
		}
	}
	if hasGroup && group != "" {
		if gid, ok = c.lookupID("/etc/group", group); !ok {
			return c.fail("unknown group %s", group)
		}
	}
	return c.eachTree(o.rest[1:], o.has('R'), func(name string) error {
		return c.FS().Chown(c.Abs(name), uid, gid, c.User())
	})
}

// eachTree calls do for each name, and for all below it if recursive is set.
func (c *Call) eachTree(names []string, recursive bool, do func(name string) error) int {
	code := 0
	for _, name := range names {
		report := func(name string) {
			if err := do(name); err != nil {
				if c.style == GNU {
					code = c.fail("cannot access '%s': %v", name, err)
				} else {
					code = c.fail("%s: %v", name, err)
				}
			}
		}
		if !recursive {
			report(name)
			continue
		}
		if err := c.walkTree(name, func(path string, in fileInfo) bool {
			if in.Mode()&fs.ModeSymlink == 0 {
				report(path)
			}
			return true
		}); err != nil {
			code = c.fail("%s: %v", name, err)
		}
	}
	return code
}

func (c *Call) lookupID(file, name string) (int64, bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return int64(n), true
	}
	for _, f := range c.database(file) {
		if f[0] == name && len(f) > 2 {
			n, err := strconv.ParseInt(f[2], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// database reads a file such as /etc/passwd.
func (c *Call) database(file string) [][]string {
	data, err := c.FS().ReadFile(file, c.User())
	if err != nil {
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 2 {
			rows = append(rows, f)
		}
	}
	return rows
}

func chmod(c *Call) int {
	if len(c.Args) > 0 && len(c.Args[0]) > 1 && c.Args[0][0] == '-' && strings.IndexByte("rwxst", c.Args[0][1]) >= 0 {
		c.Args = append([]string{"--"}, c.Args...)
	}
	o, ok := c.parse("Rcvf", map[string]byte{"recursive": 'R'}, "[-Rcvf] MODE[,MODE]... FILE...")
	if !ok {
		return 1
	}
	if len(o.rest) < 2 {
		return c.usage("[-Rcvf] MODE[,MODE]... FILE...")
	}
	if _, ok := parseMode(o.rest[0], 0, c.Umask); !ok {
		return c.fail("invalid mode '%s'", o.rest[0])
	}
	return c.eachTree(o.rest[1:], o.has('R'), func(name string) error {
		in, err := c.Stat(name)
		if err != nil {
			return err
		}
		mode, _ := parseMode(o.rest[0], in.Mode(), c.Umask)
		return c.FS().Chmod(c.Abs(name), mode, c.User())
	})
}

// parseMode reads 0755 or u+x,go=r.
func parseMode(s string, old fs.FileMode, umask uint32) (fs.FileMode, bool) {
	if n, err := strconv.ParseUint(s, 8, 12); err == nil {
		mode := fs.FileMode(n & 0o777)
		for bit, m := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
			if n&bit != 0 {
				mode |= m
			}
		}
		return mode, true
	}
	mode := old
	for clause := range strings.SplitSeq(s, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 || strings.Trim(clause[:i], "ugoa") != "" || strings.Trim(clause[i+1:], "rwxXst") != "" {
			return 0, false
		}
		mode = applyClause(mode, clause[:i], clause[i], clause[i+1:], umask)
	}
	return mode, true
}

func applyClause(mode fs.FileMode, who string, op byte, perms string, umask uint32) fs.FileMode {
	mask := fs.FileMode(0)
	for _, w := range who {
		mask |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[w]
	}
	if who == "" {
		mask = 0o777 &^ fs.FileMode(umask)
	}
	var bits, special fs.FileMode
	for _, p := range perms {
		switch p {
		case 'r':
			bits |= 0o444
		case 'w':
			bits |= 0o222
		case 'x':
			bits |= 0o111
		case 'X':
			if mode&0o111 != 0 || mode.IsDir() {
				bits |= 0o111
			}
		case 's':
			if who == "" || strings.ContainsAny(who, "ua") {
				special |= fs.ModeSetuid
			}
			if who == "" || strings.ContainsAny(who, "ga") {
				special |= fs.ModeSetgid
			}
		case 't':
			special |= fs.ModeSticky
		}
	}
	switch op {
	case '+':
		return mode | bits&mask | special
	case '-':
		return mode &^ (bits&mask | special)
	}
	return mode&^mask | bits&mask | special
}
