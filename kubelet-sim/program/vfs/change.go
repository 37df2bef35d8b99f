package vfs

import (
	"io/fs"
	"strings"
	"time"
)

// Mkdir makes a directory. perm may hold setgid and sticky bits.
func (f *FS) Mkdir(name string, perm fs.FileMode, u User) error {
	_, err := f.create(strings.TrimRight(name, "/"), fs.ModeDir|perm&^fs.ModeType, 0, u)
	return err
}

// MkdirAll makes a directory and those above it that are missing.
func (f *FS) MkdirAll(name string, perm fs.FileMode, u User) error {
	name = Clean(name)
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		in, err := f.Stat(name[:i], u)
		switch {
		case err == nil && !in.IsDir():
			return ENOTDIR
		case err == ENOENT:
			if err := f.Mkdir(name[:i], perm, u); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// Symlink makes name a symbolic link to target.
func (f *FS) Symlink(target, name string, u User) error {
	n, err := f.create(name, fs.ModeSymlink|0o777, int64(len(target)), u)
	if err == nil {
		n.target = target
	}
	return err
}

// Device makes name a character device, see Info.Device.
func (f *FS) Device(device, name string, perm fs.FileMode, u User) error {
	n, err := f.create(name, fs.ModeDevice|fs.ModeCharDevice|perm, 0, u)
	if err == nil {
		n.device = device
	}
	return err
}

// create makes a file with size bytes of contents, which are to follow.
func (f *FS) create(name string, mode fs.FileMode, size int64, u User) (*node, error) {
	var p place
	if err := f.walk(&p, name, false, u); err != nil {
		return nil, err
	}
	if p.node != nil {
		return nil, EEXIST
	}
	return p.add(mode, size, u)
}

// Link gives the file at old a second name.
func (f *FS) Link(old, name string, u User) error {
	var from, to place
	if err := f.walk(&from, old, false, u); err != nil {
		return err
	}
	if err := f.walk(&to, name, false, u); err != nil {
		return err
	}
	switch {
	case from.node == nil:
		return ENOENT
	case to.node != nil:
		return EEXIST
	case from.node.isDir():
		return EPERM
	case from.fs != to.fs || from.mounted:
		return EXDEV
	}
	if err := to.mayChange(u); err != nil {
		return err
	}
	from.own()
	if err := f.walk(&to, name, false, u); err != nil {
		return err
	}
	to.own()
	from.node.nlink = max(from.node.nlink, 1) + 1
	to.parent().node.set(to.name, from.node)
	return nil
}

// Remove unlinks a file or removes an empty directory.
func (f *FS) Remove(name string, u User) error {
	var p place
	if err := f.walk(&p, strings.TrimRight(name, "/"), false, u); err != nil {
		return err
	}
	switch {
	case p.node == nil:
		return ENOENT
	case p.mounted:
		return EBUSY
	case p.node.isDir() && len(p.node.children) > 0:
		return ENOTEMPTY
	}
	if err := p.mayChange(u); err != nil {
		return err
	}
	p.unlink(u)
	return nil
}

func (p *place) unlink(u User) {
	p.own()
	dir := p.parent().node
	dir.drop(p.name)
	dir.mtime = u.Now
	if p.node.nlink--; p.node.nlink <= 0 {
		p.fs.freed(p.node)
	}
}

// RemoveAll removes name and all below it. A missing name is no error.
func (f *FS) RemoveAll(name string, u User) error {
	in, err := f.Lstat(name, u)
	if err == ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	if in.IsDir() {
		list, err := f.ReadDir(name, u)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := f.RemoveAll(Join(name, e.Name()), u); err != nil {
				return err
			}
		}
	}
	return f.Remove(name, u)
}

// Rename moves old to name and replaces what was there in one step.
func (f *FS) Rename(old, name string, u User) error {
	var from, to place
	if err := f.walk(&from, strings.TrimRight(old, "/"), false, u); err != nil {
		return err
	}
	if err := f.walk(&to, strings.TrimRight(name, "/"), false, u); err != nil {
		return err
	}
	if err := mayRename(&from, &to, u); err != nil {
		return err
	}
	if from.node == to.node {
		return nil
	}
	from.own()
	n := from.node
	from.parent().node.drop(from.name)
	from.parent().node.mtime = u.Now
	if err := f.walk(&to, strings.TrimRight(name, "/"), false, u); err != nil {
		return err
	}
	to.own()
	if to.node != nil {
		if to.node.nlink--; to.node.nlink <= 0 {
			to.fs.freed(to.node)
		}
	}
	to.parent().node.set(to.name, n)
	to.parent().node.mtime = u.Now
	return nil
}

func mayRename(from, to *place, u User) error {
	switch {
	case from.node == nil:
		return ENOENT
	case from.mounted || to.mounted:
		return EBUSY
	case from.fs != to.fs:
		return EXDEV
	}
	if err := from.mayChange(u); err != nil {
		return err
	}
	if err := to.mayChange(u); err != nil {
		return err
	}
	for _, s := range to.steps {
		if s.node == from.node {
			return EINVAL
		}
	}
	switch {
	case to.node == nil || to.node == from.node:
	case to.node.isDir() && !from.node.isDir():
		return EISDIR
	case !to.node.isDir() && from.node.isDir():
		return ENOTDIR
	case len(to.node.children) > 0:
		return ENOTEMPTY
	}
	return nil
}

// permissions are the bits of a mode that Chmod changes.
const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// Chmod sets permission, setuid, setgid and sticky bits.
func (f *FS) Chmod(name string, mode fs.FileMode, u User) error {
	return f.change(name, u, func(n *node) error {
		n.mode = n.mode&^permissions | mode&permissions
		return nil
	})
}

// Chown sets the owners; -1 leaves one as it is. Only root may.
func (f *FS) Chown(name string, uid, gid int64, u User) error {
	return f.change(name, u, func(n *node) error {
		if u.UID != 0 && (uid >= 0 && uint32(uid) != n.uid || gid >= 0 && !u.inGroup(uint32(gid))) {
			return EPERM
		}
		if uid >= 0 {
			n.uid = uint32(uid)
		}
		if gid >= 0 {
			n.gid = uint32(gid)
		}
		return nil
	})
}

// Chtimes sets the time of the last change.
func (f *FS) Chtimes(name string, mtime time.Time, u User) error {
	return f.change(name, u, func(n *node) error {
		n.mtime = mtime
		return nil
	})
}

// Resize cuts a regular file or fills it with zeros.
func (f *FS) Resize(name string, size int64, u User) error {
	if size < 0 {
		return EINVAL
	}
	return f.change(name, u, func(n *node) error {
		if n.isDir() {
			return EISDIR
		}
		return f.resize(n, size, u.Now)
	})
}

func (f *FS) resize(n *node, size int64, now time.Time) error {
	if size > f.limit() {
		return EFBIG
	}
	if err := f.count(n, size); err != nil {
		return err
	}
	n.resize(size)
	n.mtime = now
	return nil
}

// change lets the owner of a file, or root, do something to it; links are
// followed.
func (f *FS) change(name string, u User, do func(*node) error) error {
	var p place
	if err := f.walk(&p, name, true, u); err != nil {
		return err
	}
	switch {
	case p.node == nil:
		return ENOENT
	case p.readOnly:
		return EROFS
	case u.UID != 0 && u.UID != p.node.uid:
		return EPERM
	}
	p.own()
	return do(p.node)
}
