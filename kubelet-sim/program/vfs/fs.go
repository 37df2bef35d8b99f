package vfs

import (
	"io/fs"
	"math"
	"path"
	"strings"
	"time"
)

// SizeMax is the default bound on the contents of one FS. Unit: bytes.
const SizeMax = 64 << 20

// nodesMax bounds the files of one FS.
const nodesMax = 1 << 16

// nodeCost is what each file takes beside its contents. Unit: bytes.
const nodeCost = 256

// pathMax is PATH_MAX of Linux, nameMax NAME_MAX. Unit: bytes.
const (
	pathMax = 4096
	nameMax = 255
)

// linksMax is how many symbolic links one look-up follows, as MAXSYMLINKS of
// Linux.
const linksMax = 40

// FS is one file system: a container's root, or a volume.
type FS struct {
	// Type is shown by mount, stat -f and mounttest: overlay, tmpfs, ext4.
	Type string
	// Limit bounds the contents. Unit: bytes. Zero: SizeMax.
	Limit int64
	// Watch, if set, is called whenever a file may have changed. It must not use
	// the FS.
	Watch func()

	root  *node
	moved map[*node]*node // frozen → private copy, for handles opened before
	used  int64
	nodes int
	ino   uint64
}

// User says who does an operation and when.
type User struct {
	UID, GID     uint32
	Groups       []uint32
	Now          time.Time
	ReadOnlyRoot bool // the root file system is read-only, its mounts are not
}

// New returns an empty file system whose root belongs to root, mode 0755.
func New(fsType string, now time.Time) *FS {
	return &FS{Type: fsType, ino: 1, root: &node{mode: fs.ModeDir | 0o755, mtime: now, ino: 1}}
}

// Freeze ends all changes to f and makes it a base for Derive.
func (f *FS) Freeze() { f.root.freeze() }

// Derive returns a file system that starts with f's files and shares them
// until they are changed. f must be frozen. It costs one allocation.
func (f *FS) Derive() *FS {
	return &FS{Type: f.Type, root: f.root, ino: f.ino}
}

// Usage returns the bytes and the number of files that f holds beyond its base.
func (f *FS) Usage() (bytes int64, files int) { return f.used, f.nodes }

func (f *FS) limit() int64 {
	if f.Limit > 0 {
		return f.Limit
	}
	return SizeMax
}

// grow accounts for delta more bytes of contents.
func (f *FS) grow(delta int64) error {
	if delta > 0 && (f.used > math.MaxInt64-delta || f.used+delta > f.limit()) {
		return ENOSPC
	}
	f.used += delta
	return nil
}

func (f *FS) newNode(mode fs.FileMode, u User) (*node, error) {
	if f.nodes >= nodesMax {
		return nil, ENOSPC
	}
	if err := f.grow(nodeCost); err != nil {
		return nil, err
	}
	f.nodes++
	f.ino++
	return &node{mode: mode, uid: u.UID, gid: u.GID, mtime: u.Now, ino: f.ino, nlink: 1}, nil
}

// changing tells who watches.
func (f *FS) changing() {
	if f.Watch != nil {
		f.Watch()
	}
}

func (f *FS) freed(n *node) {
	f.nodes = max(f.nodes-1, 0)
	f.used = max(f.used-nodeCost-n.size(), 0)
}

// copied returns the private copy of n if there is one, else n.
func (f *FS) copied(n *node) *node {
	if n.frozen {
		if c, ok := f.moved[n]; ok {
			return c
		}
	}
	return n
}

func (f *FS) privateCopy(n *node) *node {
	c := n.clone()
	if f.moved == nil {
		f.moved = make(map[*node]*node)
	}
	f.moved[n] = c
	return c
}

// Join makes name absolute below the working directory cwd.
func Join(cwd, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	if cwd == "/" {
		return "/" + name
	}
	return cwd + "/" + name
}

// Clean is path.Clean for an absolute path; it does not look at links.
func Clean(name string) string { return path.Clean("/" + name) }
