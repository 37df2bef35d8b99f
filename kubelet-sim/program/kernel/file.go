package kernel

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// EPIPE is returned by a write to a pipe that nobody reads, to a process that
// ignores SIGPIPE.
const EPIPE vfs.Error = "Broken pipe"

// fdsMax bounds the descriptors of a process, as RLIMIT_NOFILE.
const fdsMax = 1024

// handle is what a descriptor stands for. A read returns io.EOF at the end.
type handle interface {
	read(p *Proc, b []byte) (int, error)
	write(p *Proc, b []byte) (int, error)
	close(m *Machine)
}

// Open is an open file, shared by the descriptors that were duplicated from it.
type Open struct {
	handle
	name string // path, or pipe:[7]
	refs int
}

func newOpen(h handle, name string) *Open { return &Open{handle: h, name: name} }

func (o *Open) dup() *Open {
	if o == nil {
		return nil
	}
	if o.refs++; o.refs == 1 && o.File() != nil {
		o.File().Keep()
	}
	return o
}

func (o *Open) drop(m *Machine) {
	if o.refs--; o.refs == 0 {
		o.close(m)
	}
}

// Name is the path that was opened.
func (o *Open) Name() string { return o.name }

// Release closes an open file that was given to no descriptor.
func (o *Open) Release(p *Proc) {
	if o.refs == 0 {
		o.close(p.m)
	}
}

// File returns the regular file behind o, or nil.
func (o *Open) File() *vfs.File {
	if h, ok := o.handle.(*regular); ok {
		return h.File
	}
	return nil
}

// FD returns what descriptor n stands for, or nil.
func (p *Proc) FD(n int) *Open {
	if n < 0 || n >= len(p.fds) {
		return nil
	}
	return p.fds[n]
}

// SetFD makes descriptor n stand for o and closes what it stood for.
func (p *Proc) SetFD(n int, o *Open) error {
	if n < 0 || n >= fdsMax {
		return vfs.EBADF
	}
	p.growFDs(n)
	o.dup()
	p.CloseFD(n)
	p.fds[n] = o
	return nil
}

// growFDs makes room for descriptor n.
func (p *Proc) growFDs(n int) {
	for n >= len(p.fds) {
		p.fds = append(p.fds, nil)
		p.keep(fdCost)
	}
}

// CloseFD closes descriptor n.
func (p *Proc) CloseFD(n int) {
	if o := p.FD(n); o != nil {
		p.fds[n] = nil
		o.drop(p.m)
	}
}

// FreeFD is the lowest free descriptor not below from.
func (p *Proc) FreeFD(from int) int {
	for p.FD(from) != nil {
		from++
	}
	return from
}

// Read reads from descriptor fd.
func (p *Proc) Read(fd int, b []byte) (int, error) {
	o := p.FD(fd)
	if o == nil {
		return 0, vfs.EBADF
	}
	n, err := o.read(p, b)
	p.StepBytes(n)
	return n, err
}

// Write writes all of b to descriptor fd.
func (p *Proc) Write(fd int, b []byte) (int, error) {
	o := p.FD(fd)
	if o == nil {
		return 0, vfs.EBADF
	}
	o.dup()
	defer o.drop(p.m)
	done := 0
	for {
		part := b[done:min(len(b), done+pipeMax)]
		n, err := o.write(p, part)
		done += n
		p.StepBytes(n)
		if err != nil || done >= len(b) {
			return done, err
		}
	}
}

// Stdin is descriptor 0.
func (p *Proc) Stdin() io.Reader { return stream{p, 0} }

// Stdout is descriptor 1.
func (p *Proc) Stdout() io.Writer { return stream{p, 1} }

// Stderr is descriptor 2.
func (p *Proc) Stderr() io.Writer { return stream{p, 2} }

// stream is a descriptor as io.Reader and io.Writer.
type stream struct {
	p  *Proc
	fd int
}

func (s stream) Read(b []byte) (int, error)  { return s.p.Read(s.fd, b) }
func (s stream) Write(b []byte) (int, error) { return s.p.Write(s.fd, b) }

// Abs makes name absolute at p's working directory.
func (p *Proc) Abs(name string) string { return vfs.Join(p.Cwd, name) }

// FS is the root file system.
func (p *Proc) FS() *vfs.FS { return p.m.cfg.Root }

// Stat describes a file and follows links.
func (p *Proc) Stat(name string) (vfs.Info, error) {
	if name == "" {
		return vfs.Info{}, vfs.ENOENT
	}
	p.Work(walkWork + len(name))
	return p.FS().Stat(p.Abs(name), p.User())
}

// Lstat describes a file and follows no link at its end.
func (p *Proc) Lstat(name string) (vfs.Info, error) {
	if name == "" {
		return vfs.Info{}, vfs.ENOENT
	}
	p.Work(walkWork + len(name))
	return p.FS().Lstat(p.Abs(name), p.User())
}

// walkWork is what it costs to find a file by its name, entryWork an entry of a
// directory that is listed, see Proc.Work.
const (
	walkWork  = 64
	entryWork = 32
)

// ReadDir lists a directory by name.
func (p *Proc) ReadDir(name string) ([]vfs.Info, error) {
	list, err := p.FS().ReadDir(p.Abs(name), p.User())
	p.Work(walkWork + len(name) + entryWork*len(list))
	return list, err
}

// Contents returns the contents of a regular file, which the caller must not
// change, to read all of it.
func (p *Proc) Contents(name string) ([]byte, error) {
	data, err := p.FS().ReadFile(p.Abs(name), p.User())
	p.Work(walkWork + len(name) + len(data))
	return data, err
}

// OpenFile opens a file, device or FIFO. perm is masked by p's umask.
func (p *Proc) OpenFile(name string, flag vfs.Flag, perm fs.FileMode) (*Open, error) {
	if name == "" {
		return nil, vfs.ENOENT
	}
	p.Step(1)
	f, err := p.FS().Open(p.Abs(name), flag, perm&^fs.FileMode(p.Umask), p.User())
	var dev *vfs.DeviceError
	if errors.As(err, &dev) {
		return p.openDevice(dev.Name)
	}
	if err != nil {
		return nil, err
	}
	return newOpen(&regular{f}, p.Abs(name)), nil
}

// ReadFile returns the contents of a file or device, at most limit bytes.
func (p *Proc) ReadFile(name string, limit int) ([]byte, error) {
	o, err := p.OpenFile(name, vfs.Read, 0)
	if err != nil {
		return nil, err
	}
	o.dup()
	defer o.drop(p.m)
	var data []byte
	buf := make([]byte, 4096)
	for len(data) < limit {
		n, err := o.read(p, buf)
		data = append(data, buf[:n]...)
		p.StepBytes(n)
		if err == io.EOF || n == 0 {
			break
		}
		if err != nil {
			return data, err
		}
	}
	return data, nil
}

// ReaderOf reads from an open file, and counts as a descriptor until closed.
func (p *Proc) ReaderOf(o *Open) io.ReadWriteCloser {
	p.loose = append(p.loose, o)
	return &openStream{p, o.dup()}
}

// tighten forgets that p has o open beside its descriptors.
func (p *Proc) tighten(o *Open) {
	for i, other := range slices.Backward(p.loose) {
		if other == o {
			p.loose = slices.Delete(p.loose, i, i+1)
			return
		}
	}
}

type openStream struct {
	p *Proc
	o *Open
}

func (s *openStream) Read(b []byte) (int, error) {
	n, err := s.o.read(s.p, b)
	s.p.StepBytes(n)
	return n, err
}

func (s *openStream) Write(b []byte) (int, error) {
	n, err := s.o.write(s.p, b)
	s.p.StepBytes(n)
	return n, err
}

func (s *openStream) Close() error {
	if s.o != nil && !s.p.ended {
		s.p.tighten(s.o)
		s.o.drop(s.p.m)
	}
	s.o = nil
	return nil
}

// regular is a file or directory of the file system.
type regular struct{ *vfs.File }

func (r *regular) read(_ *Proc, b []byte) (int, error)  { return r.File.Read(b) }
func (r *regular) write(p *Proc, b []byte) (int, error) { return r.File.Write(b, p.m.now) }
func (r *regular) close(*Machine)                       { r.File.Close() }

// SaveFD returns what descriptor n stands for and keeps it open for RestoreFD.
func (p *Proc) SaveFD(n int) *Open {
	o := p.FD(n).dup()
	if o != nil {
		p.loose = append(p.loose, o)
	}
	return o
}

// RestoreFD makes descriptor n what SaveFD returned.
func (p *Proc) RestoreFD(n int, o *Open) {
	if p.ended {
		return // it has closed everything
	}
	p.CloseFD(n)
	if o != nil {
		p.tighten(o)
		p.growFDs(n)
		p.fds[n] = o
	}
}

// Text returns an open file that reads as s, as a here-document.
func (p *Proc) Text(s string) *Open {
	p.m.charge(p, int64(len(s)))
	return newOpen(&text{s, int64(len(s))}, "/tmp/sh-here")
}

type text struct {
	rest string
	size int64
}

func (t *text) read(_ *Proc, b []byte) (int, error) {
	if t.rest == "" {
		return 0, io.EOF
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *text) write(*Proc, []byte) (int, error) { return 0, vfs.EBADF }
func (t *text) close(m *Machine)                 { m.free(t.size) }

// WriteNow writes to a file or terminal, and drops what a pipe would have to
// wait for. It may be called from outside p's coroutine. o may be nil.
func (o *Open) WriteNow(p *Proc, s string) {
	if o == nil {
		return
	}
	if w, ok := o.handle.(*pipeWriter); ok {
		if w.readers == 0 || w.bound-len(w.data) < len(s) {
			return
		}
	}
	_, _ = o.write(p, []byte(s))
}
