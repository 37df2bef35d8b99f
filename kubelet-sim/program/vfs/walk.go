package vfs

import (
	"io/fs"
	"strings"
)

// step is one directory on the way from the root to a file.
type step struct {
	fs       *FS
	node     *node
	name     string
	readOnly bool
	mounted  bool // node is the root of a mount: its parent is in another FS
}

// place is where a path leads: the directories passed, and the last name. node
// is nil if the last name does not exist.
type place struct {
	steps    []step
	buf      [8]step
	fs       *FS
	node     *node
	name     string
	readOnly bool
	mounted  bool
}

// parent is the directory that holds the last name. The root is its own.
func (p *place) parent() *step { return &p.steps[len(p.steps)-1] }

// walk resolves an absolute path. If follow is set, a symbolic link as the
// last name is followed too. A missing last name is no error; p.node is nil.
func (f *FS) walk(p *place, name string, follow bool, u User) error {
	if len(name) > pathMax {
		return ENAMETOOLONG
	}
	p.steps = p.buf[:0]
	p.fs, p.node, p.name, p.readOnly = f, f.root, "/", u.ReadOnlyRoot
	links := 0
	return p.follow(name, follow, u, &links)
}

// descend makes the present place the parent of the next name.
func (p *place) descend(u User) error {
	if p.node == nil {
		return ENOENT
	}
	if !p.node.isDir() {
		return ENOTDIR
	}
	if !u.may(p.node, 1) {
		return EACCES
	}
	p.steps = append(p.steps, step{p.fs, p.node, p.name, p.readOnly, p.mounted})
	return nil
}

// ascend goes back to the directory that holds the present place.
func (p *place) ascend() {
	if len(p.steps) == 0 {
		return
	}
	s := p.steps[len(p.steps)-1]
	p.steps = p.steps[:len(p.steps)-1]
	p.fs, p.node, p.name, p.readOnly, p.mounted = s.fs, s.node, s.name, s.readOnly, s.mounted
}

func (p *place) follow(name string, follow bool, u User, links *int) error {
	for name != "" {
		part, rest, _ := strings.Cut(name, "/")
		trailing := rest == "" && strings.HasSuffix(name, "/")
		name = strings.TrimLeft(rest, "/")
		last := name == ""
		if part == "" {
			continue
		}
		if len(part) > nameMax {
			return ENAMETOOLONG
		}
		if part == "." || part == ".." {
			if p.node == nil {
				return ENOENT
			}
			if !p.node.isDir() {
				return ENOTDIR
			}
			if part == ".." {
				p.ascend()
			}
			continue
		}
		if err := p.enter(part, u); err != nil {
			return err
		}
		if p.node != nil && p.node.isSymlink() && (!last || follow || trailing || strings.HasSuffix(rest, "/")) {
			if err := p.link(u, links); err != nil {
				return err
			}
		}
		if p.node != nil && !p.node.isDir() && (trailing || last && strings.HasSuffix(rest, "/")) {
			return ENOTDIR
		}
	}
	return nil
}

// enter moves to the child part of the present directory.
func (p *place) enter(part string, u User) error {
	if err := p.descend(u); err != nil {
		return err
	}
	n := p.node.child(part)
	p.node, p.name, p.mounted = n, part, false
	if n == nil || n.mount == nil {
		return nil
	}
	m := n.mount
	if m.generate != nil {
		m.fs = m.generate()
		m.node = m.fs.root
	}
	p.fs, p.node, p.readOnly, p.mounted = m.fs, m.fs.copied(m.node), m.readOnly, true
	return nil
}

// link replaces the symbolic link at the present place by what it points to.
func (p *place) link(u User, links *int) error {
	*links++
	if *links > linksMax {
		return ELOOP
	}
	target := p.node.target
	if strings.HasPrefix(target, "/") {
		for len(p.steps) > 0 {
			p.ascend()
		}
	} else {
		p.ascend()
	}
	return p.follow(target, true, u, links)
}

// may tells whether u has the permission bit (4 read, 2 write, 1 execute or
// search) on n. Root may do all, but execute needs one x bit on a file.
func (u User) may(n *node, bit fs.FileMode) bool {
	if u.UID == 0 {
		return bit != 1 || n.isDir() || n.mode&0o111 != 0
	}
	perm := n.mode.Perm()
	switch {
	case n.uid == u.UID:
		perm >>= 6
	case u.inGroup(n.gid):
		perm >>= 3
	}
	return perm&bit != 0
}

func (u User) inGroup(gid uint32) bool {
	if u.GID == gid {
		return true
	}
	for _, g := range u.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// own makes every frozen node on the way to the place private, so that the
// place can be written.
func (p *place) own() {
	p.fs.changing()
	for i := range p.steps {
		s := &p.steps[i]
		if !s.node.frozen {
			continue
		}
		c := s.fs.privateCopy(s.node)
		s.node = c
		if i == 0 || s.mounted {
			s.fs.adoptRoot(c, i == 0)
			continue
		}
		p.steps[i-1].node.set(s.name, c)
	}
	if p.node == nil || !p.node.frozen {
		return
	}
	p.node = p.fs.privateCopy(p.node)
	switch {
	case len(p.steps) == 0 || p.mounted:
		p.fs.adoptRoot(p.node, len(p.steps) == 0)
	default:
		p.parent().node.set(p.name, p.node)
	}
}

// adoptRoot puts a private copy of the root in place. A mount below the root
// of its FS is found again through moved.
func (f *FS) adoptRoot(c *node, isRoot bool) {
	if isRoot || f.root.ino == c.ino {
		f.root = c
	}
}
