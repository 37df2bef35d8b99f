package kernel

import (
	"slices"
	"time"
)

// Main is a program: it runs as p and returns its exit code.
type Main func(p *Proc) int

// Status is how a process ended: with a code, or by a signal.
type Status struct {
	Code   int
	Signal Signal
}

// ExitCode is the code as a shell and a kubelet show it: 128 + n for signal n.
func (s Status) ExitCode() int {
	if s.Signal != 0 {
		return 128 + int(s.Signal)
	}
	return s.Code
}

// Proc is a process.
type Proc struct {
	PID, PPID int
	PGID      int // process group: which processes ^C ends
	Args      []string
	Env       []string // NAME=value
	Cwd       string
	UID, GID  uint32
	Groups    []uint32
	Umask     uint32
	Exe       string // path of the program file
	Started   time.Time

	m       *Machine
	task    *task
	session *Session
	fds     []*Open
	loose   []*Open // that p has open beside its descriptors
	memory  int64   // that is charged
	kept    int64   // of the host beside it
	usage   Usage   // that the program says

	handled uint64 // signals that the program looks at itself
	ignored uint64
	pending uint64 // handled signals that have arrived
	dying   Signal
	ended   bool
	status  Status
	waiting waiters
}

// Machine is the container that p runs in.
func (p *Proc) Machine() *Machine { return p.m }

// Now is the present instant of virtual time.
func (p *Proc) Now() time.Time { return p.m.now }

// Hostname is the container's.
func (p *Proc) Hostname() string { return p.m.cfg.Hostname }

// NewProc makes a process without a parent whose descriptors 0 to 2 are those
// of s.
func (m *Machine) NewProc(s *Session) *Proc {
	m.lastPID++
	p := &Proc{m: m, PID: m.lastPID, PGID: m.lastPID, session: s, Cwd: "/", Umask: 0o022, Started: m.now}
	p.fds = []*Open{s.stdin.dup(), s.stdout.dup(), s.stderr.dup()}
	p.keep(procCost)
	s.foreground = p.PGID
	m.procs = append(m.procs, p)
	return p
}

// forkSteps is what a process costs its host. Unit: steps.
const forkSteps = 20

// Fork returns a child of p with p's descriptors, environment and place. It is
// false if the container has too many processes.
func (p *Proc) Fork(args []string) (*Proc, bool) {
	m := p.m
	if len(m.procs) >= processesMax {
		return nil, false
	}
	m.lastPID++
	c := &Proc{
		PID: m.lastPID, PPID: p.PID, PGID: p.PGID, Args: args, Env: p.Env, Cwd: p.Cwd, UID: p.UID, GID: p.GID,
		Groups: p.Groups, Umask: p.Umask, Exe: p.Exe, Started: m.now,
		m: m, task: p.task, session: p.session, ignored: p.ignored, fds: make([]*Open, len(p.fds)),
	}
	for i, o := range p.fds {
		c.fds[i] = o.dup()
	}
	m.procs = append(m.procs, c)
	c.keep(procCost + fdCost*int64(len(c.fds)))
	p.Step(forkSteps)
	return c, true
}

// Exit ends p at once.
func (p *Proc) Exit(code int) { panic(unwind{p, Status{Code: code & 0xff}}) }

// Ended tells whether p has ended, and how.
func (p *Proc) Ended() (Status, bool) { return p.status, p.ended }

// Wait waits until c has ended. It returns early, with false, if a signal
// arrives that p handles.
func (p *Proc) Wait(c *Proc) (Status, bool) {
	for !c.ended {
		if p.pending != 0 {
			return Status{}, false
		}
		p.wait(&c.waiting, time.Time{})
	}
	return c.status, true
}

// Find returns the living process with a PID.
func (m *Machine) Find(pid int) *Proc {
	for _, p := range m.procs {
		if p.PID == pid {
			return p
		}
	}
	return nil
}

// Processes returns the living processes by PID.
func (m *Machine) Processes() []*Proc { return slices.Clone(m.procs) }

// Getenv returns the value of a variable of p's environment.
func (p *Proc) Getenv(name string) string {
	p.Owe(4 * len(p.Env))
	v, _ := LookupEnv(p.Env, name)
	return v
}

// LookupEnv returns the last value of name in a list of NAME=value.
func LookupEnv(env []string, name string) (string, bool) {
	for _, e := range slices.Backward(env) {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:], true
		}
	}
	return "", false
}

// WaitThrough waits until c has ended, whatever signals arrive.
func (p *Proc) WaitThrough(c *Proc) Status {
	for !c.ended {
		p.wait(&c.waiting, time.Time{})
	}
	return c.status
}

// WaitAny waits until one of the processes has ended. It returns early, with
// false, if a signal arrives that p handles.
func (p *Proc) WaitAny(list []*Proc) bool {
	for {
		for _, c := range list {
			if c.ended {
				return true
			}
		}
		if p.pending != 0 {
			return false
		}
		for _, c := range list[1:] {
			c.waiting = append(c.waiting, p.task)
		}
		p.wait(&list[0].waiting, time.Time{})
		for _, c := range list[1:] {
			c.waiting = slices.DeleteFunc(c.waiting, func(t *task) bool { return t == p.task })
		}
	}
}

// WaitFor waits for c's end, for at most d; if d is negative, it waits forever.
func (p *Proc) WaitFor(c *Proc, d time.Duration) (Status, bool) {
	deadline := time.Time{}
	if d >= 0 {
		deadline = p.m.now.Add(d)
	}
	for !c.ended {
		if d >= 0 && !p.m.now.Before(deadline) {
			return Status{}, false
		}
		p.wait(&c.waiting, deadline)
	}
	return c.status, true
}
