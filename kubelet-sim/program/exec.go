package program

import (
	"io"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// ExecSpec is a command that runs beside a container's process 1: kubectl
// exec, a probe, a hook.
type ExecSpec struct {
	Command   []string
	Env       []string // beside the container's
	Stdin     io.Reader
	StdinOpen bool
	TTY       bool
	Output    func(Chunk)
	// Full tells that Output can take no more; a process that writes then waits
	// for Streams.Drained. Nil: it always can.
	Full func() bool
}

// Exec is a command that was started in a container. The container's State,
// Resume and Close cover it.
type Exec struct {
	Streams
	proc *kernel.Proc
}

// Exec starts a command in the container and lets it run. The error is a
// *StartError if there is no such program.
func (p *Process) Exec(spec ExecSpec, now time.Time) (*Exec, error) {
	if _, exited := p.m.Exited(); exited || len(spec.Command) == 0 {
		return nil, &StartError{128, "container is not running"}
	}
	s := kernel.NewSession(kernel.SessionConfig{
		Source: spec.Stdin, Open: spec.StdinOpen, TTY: spec.TTY, Output: spec.Output, Full: spec.Full,
	})
	c := p.m.NewProc(s)
	env := append(p.env[:len(p.env):len(p.env)], spec.Env...)
	if spec.TTY {
		env = append(env, "TERM=xterm")
	}
	p.prepare(c, env, p.dir)
	main, why := p.load(c, spec.Command)
	if why != nil {
		c.Abandon(127)
		return nil, why.during(whenExecuting)
	}
	p.m.Start(c, main)
	p.m.Resume(now)
	return &Exec{Streams: Streams{p.m, s}, proc: c}, nil
}

// Exited tells whether the command has ended, and its exit code.
func (e *Exec) Exited() (code int32, ok bool) {
	status, ended := e.proc.Ended()
	return int32(status.ExitCode()), ended
}

// Signal sends a signal to the command.
func (e *Exec) Signal(sig kernel.Signal, now time.Time) {
	e.proc.Kill(sig, true)
	e.m.Resume(now)
}

// Hangup tells the command that its client is gone: its input ends, its
// output is dropped, and it gets SIGHUP.
func (e *Exec) Hangup(now time.Time) {
	e.s.Hangup(e.m)
	e.m.Resume(now)
}

// Streams are the standard streams of a container or a command in it, as seen
// from outside. After each call the processes have gone on until they wait.
type Streams struct {
	m *kernel.Machine
	s *kernel.Session
}

// WakeAt is when a process that has these streams goes on by itself; zero if all
// of them wait for something else, such as input. State's WakeAt is never later.
func (s Streams) WakeAt() time.Time { return s.s.WakeAt(s.m) }

// Input adds to standard input where it is open; eof ends it.
func (s Streams) Input(data []byte, eof bool, now time.Time) {
	s.s.Input(s.m, data, eof)
	s.m.Resume(now)
}

// Room tells whether the processes want more input: it is kept until one reads it.
func (s Streams) Room() bool { return s.s.Room() }

// Drained says that ExecSpec.Full is not true any more.
func (s Streams) Drained(now time.Time) {
	s.s.Drained(s.m)
	s.m.Resume(now)
}

// Resize tells the size of the terminal's window, in characters.
func (s Streams) Resize(cols, rows int, now time.Time) {
	s.s.Resize(s.m, cols, rows)
	s.m.Resume(now)
}
