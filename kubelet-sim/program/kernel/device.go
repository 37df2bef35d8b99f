package kernel

import (
	"io"
	"strconv"
	"strings"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// device is /dev/null and its like, by name.
type device struct{ name string }

// openDevice opens a device of the file system, see vfs.Info.Device.
func (p *Proc) openDevice(name string) (*Open, error) {
	if rest, ok := strings.CutPrefix(name, "fd:"); ok {
		return p.openFD(rest)
	}
	if name == "tty" {
		if p.session == nil || p.session.tty == nil {
			return nil, vfs.ENXIO
		}
		return p.session.stdout, nil
	}
	return newOpen(device{name}, "/dev/"+name), nil
}

// openFD opens /proc/PID/fd/N. A regular file is opened again, as on Linux,
// except that the offset is shared.
func (p *Proc) openFD(name string) (*Open, error) {
	pid, fd, _ := strings.Cut(name, ":")
	n, err := strconv.Atoi(fd)
	if err != nil {
		return nil, vfs.ENOENT
	}
	owner := p
	if id, err := strconv.Atoi(pid); err == nil {
		owner = p.m.Find(id)
	}
	if owner == nil || owner.FD(n) == nil {
		return nil, vfs.ENOENT
	}
	if p.UID != 0 && p.UID != owner.UID {
		return nil, vfs.EACCES
	}
	return owner.FD(n), nil
}

func (d device) read(p *Proc, b []byte) (int, error) {
	switch d.name {
	case "zero", "full":
		clear(b)
	case "random", "urandom":
		for i := range b {
			b[i] = byte(p.m.Random())
		}
	default:
		return 0, io.EOF
	}
	return len(b), nil
}

func (d device) write(_ *Proc, b []byte) (int, error) {
	if d.name == "full" {
		return 0, vfs.ENOSPC
	}
	return len(b), nil
}

func (d device) close(*Machine) {}
