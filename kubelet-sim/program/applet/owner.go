package applet

import (
	"io/fs"
	"strconv"
	"strings"
)

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

// databaseMax bounds what is read of a file of the system. Unit: bytes.
const databaseMax = 1 << 20

// database reads a file such as /etc/passwd, once.
func (c *Call) database(file string) [][]string {
	if rows, ok := c.known[file]; ok {
		return rows
	}
	data, err := c.ReadFile(file, databaseMax)
	if err != nil {
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		c.Work(4 * len(line))
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 2 {
			rows = append(rows, f)
		}
	}
	if c.known == nil {
		c.known = make(map[string][][]string)
	}
	c.known[file] = rows
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
		c.Work(64 * len(o.rest[0]))
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
