package vfs

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// node is an inode. A frozen node belongs to a base tree, is shared by many FS
// and is never written; FS.own replaces it by a private copy first.
type node struct {
	mode     fs.FileMode // type and permission bits
	uid, gid uint32
	mtime    time.Time
	data     []byte  // regular file
	target   string  // symbolic link
	device   string  // character device: its name, see Info.Device
	children []entry // directory, sorted by name
	mount    *mount  // directory or file that a mount covers
	ino      uint64
	nlink    int
	frozen   bool
	// origin is the base's node that this one is a private copy of, with which it has
	// data in common while shared is true.
	origin *node
	shared bool
	// counted is what the FS has accounted for. Unit: bytes.
	counted int64
	// opens counts the open files of it that were kept, see File.Keep; unlinked: its
	// last name is gone.
	opens    int
	unlinked bool
}

// entry is one name in a directory.
type entry struct {
	name string
	node *node
}

// mount is what covers a node.
type mount struct {
	fs       *FS
	node     *node
	readOnly bool
	generate func() *FS // procfs: built anew whenever a path enters it
	fsType   string     // of what is generated
}

func (n *node) isDir() bool     { return n.mode&fs.ModeDir != 0 }
func (n *node) isSymlink() bool { return n.mode&fs.ModeSymlink != 0 }

func (n *node) find(name string) (int, bool) {
	return slices.BinarySearchFunc(n.children, name, func(e entry, name string) int {
		return strings.Compare(e.name, name)
	})
}

func (n *node) child(name string) *node {
	if i, ok := n.find(name); ok {
		return n.children[i].node
	}
	return nil
}

// set adds name, or replaces what it names.
func (n *node) set(name string, c *node) {
	i, ok := n.find(name)
	if ok {
		n.children[i].node = c
		return
	}
	n.children = slices.Insert(n.children, i, entry{name, c})
}

func (n *node) drop(name string) {
	if i, ok := n.find(name); ok {
		n.children = slices.Delete(n.children, i, i+1)
	}
}

// clone returns a private copy of a frozen node. Children stay shared.
func (n *node) clone() *node {
	c := *n
	c.frozen, c.origin, c.counted = false, n, 0
	c.children = slices.Clone(n.children)
	c.data, c.shared = n.data[:len(n.data):len(n.data)], true // a write must copy
	return &c
}

// room makes the contents n's own, with room for size bytes and at most an eighth more.
func (n *node) room(size int64) {
	have := int64(cap(n.data))
	if !n.shared && size <= have && size >= have-have/4 {
		return
	}
	if size > have {
		have = size + min(size/8, int64(len(n.data)))
	} else {
		have = size
	}
	own := make([]byte, min(int64(len(n.data)), size), have)
	copy(own, n.data)
	n.data, n.shared = own, false
}

// resize makes the contents size bytes long, with zeros at the end.
func (n *node) resize(size int64) {
	n.room(size)
	have := len(n.data)
	n.data = n.data[:size]
	if int64(have) < size {
		clear(n.data[have:])
	}
}

func (n *node) freeze() {
	n.frozen = true
	for _, e := range n.children {
		e.node.freeze()
	}
}

// size is what the node counts against its FS's bound. Unit: bytes.
func (n *node) size() int64 {
	return int64(len(n.data)) + int64(len(n.target))
}

// Info describes a file. It implements fs.FileInfo and fs.DirEntry.
type Info struct {
	name string
	n    node
	fs   *FS
}

// Name is the last part of the path.
func (i Info) Name() string { return i.name }

// Mode is the type and the permissions.
func (i Info) Mode() fs.FileMode { return i.n.mode }

// Type is the type alone.
func (i Info) Type() fs.FileMode { return i.n.mode.Type() }

// ModTime is when the content changed last, in virtual time.
func (i Info) ModTime() time.Time { return i.n.mtime }

// IsDir tells whether it is a directory.
func (i Info) IsDir() bool { return i.n.isDir() }

// Sys implements fs.FileInfo: no host is behind the file.
func (i Info) Sys() any { return nil }

// Info implements fs.DirEntry; it never fails.
func (i Info) Info() (fs.FileInfo, error) { return i, nil }

// Size is the length of a file or of a link's target, in bytes. A directory
// has 4096, as on ext4.
func (i Info) Size() int64 {
	if i.n.isDir() {
		return 4096
	}
	return i.n.size()
}

// UID is the owner.
func (i Info) UID() uint32 { return i.n.uid }

// GID is the owning group.
func (i Info) GID() uint32 { return i.n.gid }

// Inode is unique within one FS.
func (i Info) Inode() uint64 { return i.n.ino }

// Links is the number of names; a directory counts its sub-directories.
func (i Info) Links() int {
	if !i.n.isDir() {
		return max(i.n.nlink, 1)
	}
	links := 2
	for _, e := range i.n.children {
		if e.node.isDir() {
			links++
		}
	}
	return links
}

// Target is where a symbolic link points.
func (i Info) Target() string { return i.n.target }

// Device names a character device: null, zero, full, random, urandom, tty, or
// "fd:PID:N" for an open file of a process. Empty for other files.
func (i Info) Device() string { return i.n.device }

// Same tells whether both describe one file.
func (i Info) Same(o Info) bool { return i.fs == o.fs && i.n.ino == o.n.ino }

// FSType is the type that mount(8) shows for the file's file system.
func (i Info) FSType() string { return i.fs.Type }
