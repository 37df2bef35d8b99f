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

// nodeCost is what each file takes beside its contents, entryCost an entry of a
// directory that is copied. Unit: bytes.
const (
	nodeCost  = 256
	entryCost = 24
)

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

	root    *node
	moved   map[*node]*node // frozen → private copy, for handles opened before
	used    int64
	nodes   int
	ino     uint64
	account Account
}

// Account is charged with the bytes that an FS holds.
type Account interface {
	// Hold charges n more bytes, or gives them back if n is negative. It is false,
	// and charges nothing, where there is no room for them.
	Hold(n int64) bool
	// Force charges n bytes that are held already.
	Force(n int64)
}

// Charge makes a pay for what f holds beyond its base, now and from now on. An FS that
// a has no room for is a full disk.
func (f *FS) Charge(a Account) {
	f.Release()
	f.account = a
	a.Force(f.used)
}

// Release gives back what f was charged with: it is not used any more.
func (f *FS) Release() {
	if f.account != nil {
		f.account.Hold(-f.used)
		f.account = nil
	}
}

// User is the user of an operation, and its time.
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

// grow accounts for delta more bytes.
func (f *FS) grow(delta int64) error {
	if delta > 0 && (f.used > math.MaxInt64-delta || f.used+delta > f.limit()) {
		return ENOSPC
	}
	if delta != 0 && f.account != nil && !f.account.Hold(delta) {
		return ENOSPC
	}
	f.used += delta
	return nil
}

// count accounts for n with size bytes of contents.
func (f *FS) count(n *node, size int64) error {
	delta := nodeCost + size - n.counted
	if err := f.grow(delta); err != nil {
		return err
	}
	n.counted += delta
	return nil
}

func (f *FS) newNode(mode fs.FileMode, size int64, u User) (*node, error) {
	if f.nodes >= nodesMax {
		return nil, ENOSPC
	}
	n := &node{mode: mode, uid: u.UID, gid: u.GID, mtime: u.Now, nlink: 1}
	if err := f.count(n, size); err != nil {
		return nil, err
	}
	f.nodes++
	f.ino++
	n.ino = f.ino
	return n, nil
}

// changing tells the watcher.
func (f *FS) changing() {
	if f.Watch != nil {
		f.Watch()
	}
}

// freed gives back what n took, which has no name any more, unless it is open still.
func (f *FS) freed(n *node) {
	if n.opens > 0 {
		n.unlinked = true
		return
	}
	if n.origin == nil && n.counted > 0 {
		f.nodes--
	}
	delete(f.moved, n.origin) // an open base file is still read, as on overlayfs
	_ = f.grow(-n.counted)    // less is never refused
	n.counted = 0
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
	c.counted = nodeCost + entryCost*int64(len(c.children))
	f.used += c.counted
	if f.account != nil {
		f.account.Force(c.counted) // it is no larger than its image
	}
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
