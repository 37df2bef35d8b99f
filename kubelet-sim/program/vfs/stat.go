package vfs

import "io/fs"

// Stat describes the file at an absolute path and follows links.
func (f *FS) Stat(name string, u User) (Info, error) { return f.stat(name, true, u) }

// Lstat is Stat for a symbolic link itself.
func (f *FS) Lstat(name string, u User) (Info, error) { return f.stat(name, false, u) }

func (f *FS) stat(name string, follow bool, u User) (Info, error) {
	var p place
	if err := f.walk(&p, name, follow, u); err != nil {
		return Info{}, err
	}
	if p.node == nil {
		return Info{}, ENOENT
	}
	return Info{name: p.name, n: *p.node, fs: p.fs}, nil
}

// ReadDir lists a directory by name.
func (f *FS) ReadDir(name string, u User) ([]Info, error) {
	var p place
	if err := f.walk(&p, name, true, u); err != nil {
		return nil, err
	}
	switch {
	case p.node == nil:
		return nil, ENOENT
	case !p.node.isDir():
		return nil, ENOTDIR
	case !u.may(p.node, 4):
		return nil, EACCES
	}
	list := make([]Info, 0, len(p.node.children))
	for _, e := range p.node.children {
		in, n := p.fs, e.node
		if m := n.mount; m != nil {
			if m.generate == nil {
				in, n = m.fs, m.fs.copied(m.node)
			}
		}
		list = append(list, Info{name: e.name, n: *n, fs: in})
	}
	return list, nil
}

// Readlink returns what the symbolic link at name points to.
func (f *FS) Readlink(name string, u User) (string, error) {
	i, err := f.Lstat(name, u)
	if err != nil {
		return "", err
	}
	if i.Mode()&fs.ModeSymlink == 0 {
		return "", EINVAL
	}
	return i.Target(), nil
}

// Realpath resolves every link. The last name may be missing.
func (f *FS) Realpath(name string, u User) (string, error) {
	var p place
	if err := f.walk(&p, name, true, u); err != nil {
		return "", err
	}
	path := ""
	for _, s := range p.steps[min(1, len(p.steps)):] {
		path += "/" + s.name
	}
	if len(p.steps) == 0 {
		return "/", nil
	}
	return path + "/" + p.name, nil
}

// Access tells whether u may read (4), write (2) or execute (1) the file.
func (f *FS) Access(name string, bits fs.FileMode, u User) error {
	var p place
	if err := f.walk(&p, name, true, u); err != nil {
		return err
	}
	if p.node == nil {
		return ENOENT
	}
	if bits&2 != 0 && p.readOnly && p.node.device == "" {
		return EROFS
	}
	for _, bit := range [...]fs.FileMode{4, 2, 1} {
		if bits&bit != 0 && !u.may(p.node, bit) {
			return EACCES
		}
	}
	return nil
}

// ReadFile returns the contents of a regular file. The caller must not change
// them.
func (f *FS) ReadFile(name string, u User) ([]byte, error) {
	h, err := f.OpenRegular(name, u)
	if err != nil {
		return nil, err
	}
	return f.copiedData(h), nil
}

// OpenRegular opens a file, no directory, for reading.
func (f *FS) OpenRegular(name string, u User) (*File, error) {
	h, err := f.Open(name, Read, 0, u)
	if err == nil && h.n.isDir() {
		return nil, EISDIR
	}
	return h, err
}

func (f *FS) copiedData(h *File) []byte { return h.fs.copied(h.n).data }

// Mount describes one mount of a root, as /proc/mounts lists it.
type Mount struct {
	Path     string
	Type     string
	ReadOnly bool
}

// Mounts lists the mounts below the root, by path.
func (f *FS) Mounts() []Mount { return f.root.mounts("", nil) }

func (n *node) mounts(at string, list []Mount) []Mount {
	for _, e := range n.children {
		name := at + "/" + e.name
		switch m := e.node.mount; {
		case m == nil:
			list = e.node.mounts(name, list)
		case m.generate != nil:
			list = append(list, Mount{name, m.fsType, m.readOnly})
		default:
			list = append(list, Mount{name, m.fs.Type, m.readOnly})
			list = m.node.mounts(name, list)
		}
	}
	return list
}
