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
}

// Exec is a command that was started in a container. The container's State,
// Resume and Close cover it.
type Exec struct {
	p       *Process
	proc    *kernel.Proc
	session *kernel.Session
}

// Exec starts a command in the container and lets it run. The error is a
// *StartError if there is no such program.
func (p *Process) Exec(spec ExecSpec, now time.Time) (*Exec, error) {
	if _, exited := p.m.Exited(); exited || len(spec.Command) == 0 {
		return nil, startError(128, "container is not running")
	}
	s := kernel.NewSession(spec.Stdin, spec.StdinOpen, spec.TTY, spec.Output)
	c := p.m.NewProc(s)
	env := append(p.env[:len(p.env):len(p.env)], spec.Env...)
	if spec.TTY {
		env = append(env, "TERM=xterm")
	}
	p.prepare(c, env, p.dir)
	main, err := p.load(c, spec.Command)
	if err != nil {
		c.Abandon(127)
		return nil, err
	}
	p.m.Start(c, main)
	p.m.Resume(now)
	return &Exec{p: p, proc: c, session: s}, nil
}

// Exited tells whether the command has ended, and its exit code.
func (e *Exec) Exited() (code int32, ok bool) {
	status, ended := e.proc.Ended()
	return int32(status.ExitCode()), ended
}

// Input adds to the command's standard input; eof ends it.
func (e *Exec) Input(data []byte, eof bool, now time.Time) {
	e.session.Input(e.p.m, data, eof)
	e.p.m.Resume(now)
}

// Signal sends a signal to the command.
func (e *Exec) Signal(sig kernel.Signal, now time.Time) {
	e.proc.Kill(sig, true)
	e.p.m.Resume(now)
}
