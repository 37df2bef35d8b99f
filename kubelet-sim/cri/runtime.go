// Package cri is what a kubelet asks to run containers, as upstream's kubelet has the
// Container Runtime Interface, and the runtime that simulates programs.
//
// Invariant: the kubelet knows programs by these interfaces alone, so that tests put others
// in their place.
package cri

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/images"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// Runtime is what the kubelet asks to run containers.
type Runtime interface {
	// Pull says why an image cannot be pulled, nil if it can.
	Pull(image string) error
	// User returns the user of a container of an image that asks for uid and
	// gid, or -1 where it asks for nothing, and the user's groups in the image.
	User(image string, uid, gid int64) (int64, int64, []int64)
	// Root returns a new private file system for a container of an image.
	Root(image string, now time.Time) (*vfs.FS, error)
	// Start starts a container, as program.Start does.
	Start(spec program.Spec, now time.Time) (Process, error)
}

// Process is a container that runs, see program.Process.
type Process interface {
	State() program.State
	Resume(now time.Time)
	Signal(sig kernel.Signal, now time.Time)
	StopSignal() kernel.Signal
	SetMemoryLimit(bytes int64)
	SetCPULimit(milliCPU int64)
	Serve(port int32, req kernel.Request, now time.Time) (kernel.Response, bool)
	TerminationMessage() []byte
	Exec(spec program.ExecSpec, now time.Time) (Exec, error)
	// Streams are the container's own.
	Streams() Streams
	Close()
}

// Streams are the standard streams of a program, see program.Streams.
type Streams interface {
	WakeAt() time.Time
	Input(data []byte, eof bool, now time.Time)
	Room() bool
	Drained(now time.Time)
	Resize(cols, rows int, now time.Time)
}

// Exec is a command that runs beside a container's program, see program.Exec.
type Exec interface {
	Streams
	Hangup(now time.Time)
	Exited() (code int32, ok bool)
	Signal(sig kernel.Signal, now time.Time)
}

// process makes a program.Process a Process.
type process struct{ *program.Process }

func (p process) Exec(spec program.ExecSpec, now time.Time) (Exec, error) {
	exec, err := p.Process.Exec(spec, now)
	if err != nil {
		return nil, err
	}
	return exec, nil
}

func (p process) Streams() Streams { return p.Process.Streams() }

// programs is the Runtime of package program.
type programs struct {
	catalog *program.Catalog
	pulls   map[string]error // what Pull said, which depends on the name alone
}

// Simulated returns the runtime that simulates programs.
func Simulated() Runtime { return programs{program.NewCatalog(), map[string]error{}} }

func (p programs) Pull(image string) error {
	err, known := p.pulls[image]
	if !known {
		if len(p.pulls) > images.KnownMax {
			clear(p.pulls)
		}
		err = program.Pull(image)
		p.pulls[image] = err
	}
	return err
}

func (p programs) User(image string, uid, gid int64) (int64, int64, []int64) {
	u := p.catalog.Image(image).UserOf(uid, gid)
	groups := make([]int64, 0, len(u.Groups))
	for _, g := range u.Groups {
		groups = append(groups, int64(g))
	}
	return int64(u.UID), int64(u.GID), groups
}

func (p programs) Root(image string, now time.Time) (*vfs.FS, error) {
	return p.catalog.Root(image, now)
}

func (p programs) Start(spec program.Spec, now time.Time) (Process, error) {
	spec.Catalog = p.catalog
	started, err := program.Start(spec, now)
	if err != nil {
		return nil, err
	}
	return process{started}, nil
}
