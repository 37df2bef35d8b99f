package vfs

import (
	"io/fs"
	"path"
	"time"
)

// VolumeFile is one file that a kubelet writes into a volume.
type VolumeFile struct {
	Path     string // relative to the volume, may have directories
	Data     []byte
	Mode     fs.FileMode
	UID, GID uint32
}

// WriteFile writes a whole file as root and makes the directories above it.
func (f *FS) WriteFile(name string, data []byte, mode fs.FileMode, now time.Time) error {
	u := User{Now: now}
	h, err := f.Open(name, Write|Create|Truncate, mode, u)
	if err == ENOENT {
		if err := f.MkdirAll(path.Dir(Clean(name)), 0o755, u); err != nil {
			return err
		}
		h, err = f.Open(name, Write|Create|Truncate, mode, u)
	}
	if err != nil {
		return err
	}
	if _, err := h.Write(data, now); err != nil {
		return err
	}
	if h.n.mode&permissions == mode&permissions {
		return nil // /proc writes many files, each new
	}
	return f.Chmod(name, mode, u)
}

// WriteAtomic gives a volume new contents in one step, laid out as kubelet
// does it: a dated directory, the link ..data to it, a link for each name.
// Links to names that are gone are removed.
// Source: AtomicWriter in k8s.io/kubernetes pkg/volume/util v1.37.2.
//
// Deviation: the dated directory's suffix is that of the time in nanoseconds,
// where kubelet's is random.
func (f *FS) WriteAtomic(files []VolumeFile, now time.Time) error {
	u := User{Now: now}
	dir := "/.." + now.UTC().Format("2006_01_02_15_04_05.000000000")
	if _, err := f.Stat(dir, u); err == nil {
		dir += "_1"
	}
	if err := f.Mkdir(dir, 0o755, u); err != nil {
		return err
	}
	keep := map[string]bool{"..data": true, path.Base(dir): true}
	for _, v := range files {
		name := Clean(v.Path)
		if err := f.WriteFile(dir+name, v.Data, v.Mode, now); err != nil {
			return err
		}
		if err := f.Chown(dir+name, int64(v.UID), int64(v.GID), u); err != nil {
			return err
		}
		keep[top(name)] = true
	}
	if err := f.Symlink(path.Base(dir), "/..data_tmp", u); err != nil {
		return err
	}
	if err := f.Rename("/..data_tmp", "/..data", u); err != nil {
		return err
	}
	return f.relink(files, keep, u)
}

func (f *FS) relink(files []VolumeFile, keep map[string]bool, u User) error {
	for _, v := range files {
		name := top(Clean(v.Path))
		err := f.Symlink("..data/"+name, "/"+name, u)
		if err != nil && err != EEXIST {
			return err
		}
	}
	list, err := f.ReadDir("/", u)
	if err != nil {
		return err
	}
	for _, e := range list {
		if keep[e.Name()] {
			continue
		}
		if err := f.RemoveAll("/"+e.Name(), u); err != nil {
			return err
		}
	}
	return nil
}

// top is the first name of a clean absolute path.
func top(name string) string {
	for i := 1; i < len(name); i++ {
		if name[i] == '/' {
			return name[1:i]
		}
	}
	return name[1:]
}

// Mount puts the file or directory at sub in volume over the path at, which is
// made if it is missing. The volume stays shared: what one container writes,
// the others see.
func (f *FS) Mount(at string, volume *FS, sub string, readOnly bool, now time.Time) error {
	u := User{Now: now}
	var src place
	if err := volume.walk(&src, Clean(sub), true, u); err != nil {
		return err
	}
	if src.node == nil {
		return ENOENT
	}
	src.own()
	return f.cover(at, src.node.isDir(), &mount{fs: src.fs, node: src.node, readOnly: readOnly}, u)
}

// MountGenerated mounts a file system of a type that generate builds anew each time that
// a path enters it, as procfs.
func (f *FS) MountGenerated(at, fsType string, generate func() *FS, now time.Time) error {
	return f.cover(at, true, &mount{generate: generate, fsType: fsType, readOnly: true}, User{Now: now})
}

func (f *FS) cover(at string, isDir bool, m *mount, u User) error {
	at = Clean(at)
	if at == "/" {
		return EBUSY
	}
	if err := f.MkdirAll(path.Dir(at), 0o755, u); err != nil {
		return err
	}
	var p place
	if err := f.walk(&p, at, true, u); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if isDir {
		mode = fs.ModeDir | 0o755
	}
	if p.mounted {
		return p.coverAgain(m)
	}
	if p.node == nil {
		if _, err := p.add(mode, 0, u); err != nil {
			return err
		}
	}
	if p.node.isDir() != isDir {
		return ENOTDIR
	}
	p.own()
	p.node.mount = m
	return nil
}

// coverAgain replaces the mount at p, as a later mount at one place hides the
// earlier.
func (p *place) coverAgain(m *mount) error {
	p.own()
	point := p.parent().node.child(p.name)
	if point == nil || point.mount == nil {
		return EBUSY
	}
	point.mount = m
	return nil
}
