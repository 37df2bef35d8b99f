package vfs

import (
	"io"
	"io/fs"
	"time"
)

// Flag says how Open opens a file. The flags combine.
type Flag int

// Read and Write ask for access, the others are those of open(2).
const (
	Read Flag = 1 << iota
	Write
	Create
	Exclusive
	Truncate
	Append
	Directory
)

// File is an open regular file or directory.
type File struct {
	fs     *FS
	n      *node
	name   string
	flag   Flag
	offset int64
	kept   *node
}

// Keep says that f stays open until Close: what it reads is held, and accounted for,
// also when the file has no name any more.
func (f *File) Keep() {
	if n := f.fs.copied(f.n); f.kept == nil && !n.frozen {
		n.opens++
		f.kept = n
	}
}

// Close ends what Keep began.
func (f *File) Close() {
	n := f.kept
	if n == nil {
		return
	}
	f.kept = nil
	if n.opens--; n.opens == 0 && n.unlinked {
		n.unlinked = false
		f.fs.freed(n)
	}
}

// Open opens the file at an absolute path. A device is not opened: the error
// is a *DeviceError that names it.
func (f *FS) Open(name string, flag Flag, perm fs.FileMode, u User) (*File, error) {
	var p place
	if err := f.walk(&p, name, flag&Exclusive == 0, u); err != nil {
		return nil, err
	}
	if p.node == nil {
		return p.create(flag, perm, u)
	}
	n := p.node
	switch {
	case flag&Exclusive != 0:
		return nil, EEXIST
	case n.isDir() && flag&Write != 0:
		return nil, EISDIR
	case flag&Directory != 0 && !n.isDir():
		return nil, ENOTDIR
	case flag&Read != 0 && !u.may(n, 4), flag&Write != 0 && !u.may(n, 2):
		return nil, EACCES
	case n.device != "":
		return nil, &DeviceError{Name: n.device}
	case flag&Write != 0 && p.readOnly:
		return nil, EROFS
	}
	if flag&Write != 0 {
		p.own()
		n = p.node
	}
	if flag&Truncate != 0 && len(n.data) > 0 {
		if err := p.fs.count(n, 0); err != nil {
			return nil, err
		}
		n.data, n.shared, n.mtime = nil, false, u.Now
	}
	return &File{fs: p.fs, n: n, name: p.name, flag: flag}, nil
}

func (p *place) create(flag Flag, perm fs.FileMode, u User) (*File, error) {
	if flag&Create == 0 {
		return nil, ENOENT
	}
	n, err := p.add(perm.Perm(), 0, u)
	if err != nil {
		return nil, err
	}
	return &File{fs: p.fs, n: n, name: p.name, flag: flag}, nil
}

// add creates the missing last name of p.
func (p *place) add(mode fs.FileMode, size int64, u User) (*node, error) {
	if err := p.mayChange(u); err != nil {
		return nil, err
	}
	n, err := p.fs.newNode(mode, size, u)
	if err != nil {
		return nil, err
	}
	p.own()
	dir := p.parent().node
	if dir.mode&fs.ModeSetgid != 0 {
		n.gid = dir.gid
		if n.isDir() {
			n.mode |= fs.ModeSetgid
		}
	}
	dir.set(p.name, n)
	dir.mtime = u.Now
	p.node = n
	return n, nil
}

// mayChange tells whether u may add or remove the last name of p.
func (p *place) mayChange(u User) error {
	if len(p.steps) == 0 {
		return EBUSY
	}
	dir := p.parent()
	switch {
	case dir.readOnly:
		return EROFS
	case !u.may(dir.node, 2):
		return EACCES
	}
	sticky := dir.node.mode&fs.ModeSticky != 0 && u.UID != 0
	if sticky && p.node != nil && p.node.uid != u.UID && dir.node.uid != u.UID {
		return EPERM
	}
	return nil
}

// DeviceError is returned by Open for a device, which its caller must open.
type DeviceError struct{ Name string }

func (e *DeviceError) Error() string { return "open device " + e.Name + " through the kernel" }

// Stat describes the open file as it is now.
func (f *File) Stat() Info {
	n := f.fs.copied(f.n)
	return Info{name: f.name, n: *n, fs: f.fs}
}

// Read reads from the present offset. At the end it returns io.EOF.
func (f *File) Read(b []byte) (int, error) {
	n := f.fs.copied(f.n)
	switch {
	case n.isDir():
		return 0, EISDIR
	case f.flag&Read == 0:
		return 0, EBADF
	case f.offset >= int64(len(n.data)):
		return 0, io.EOF
	}
	c := copy(b, n.data[f.offset:])
	f.offset += int64(c)
	return c, nil
}

// Write writes at the offset, or at the end if the file was opened to append.
func (f *File) Write(b []byte, now time.Time) (int, error) {
	if f.flag&Write == 0 {
		return 0, EBADF
	}
	n := f.fs.copied(f.n)
	if f.flag&Append != 0 {
		f.offset = int64(len(n.data))
	}
	end := f.offset + int64(len(b))
	if end < f.offset || end > f.fs.limit() {
		return 0, EFBIG
	}
	size := max(end, int64(len(n.data)))
	if err := f.fs.count(n, size); err != nil {
		return 0, err
	}
	n.resize(size)
	copy(n.data[f.offset:], b)
	n.mtime = now
	f.fs.changing()
	f.offset = end
	return len(b), nil
}

// Seek moves the offset as io.Seeker does.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += int64(len(f.fs.copied(f.n).data))
	}
	if offset < 0 {
		return 0, EINVAL
	}
	f.offset = offset
	return offset, nil
}
