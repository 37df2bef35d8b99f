package kernel

import (
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"time"
)

// task is a coroutine that processes run on: one, and above it those that it
// runs in the foreground.
type task struct {
	m       *Machine
	resume  func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	procs   []*Proc // bottom first
	session *Session
	wakeAt  time.Time
	polls   bool // wakeAt is only to look whether something has changed
	queued  bool
	slice   int // steps left before other tasks have their turn
	debt    int // steps that were done and not accounted for yet
	rest    int // work that is less than a step
}

// unwind is panicked to leave the functions of a process that ends. No p: the
// machine is closed.
type unwind struct {
	p      *Proc
	status Status
}

// Start runs p on a coroutine of its own. It must not have run before.
func (m *Machine) Start(p *Proc, main Main) {
	t := &task{m: m, session: p.session}
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(unwind); !ok {
					panic(r)
				}
			}
		}()
		p.runOn(t, main)
	})
	p.task = t
	m.tasks = append(m.tasks, t)
	m.ready(t)
}

// Run runs child in the foreground of the calling process p and returns how
// it ended. The caller's coroutine serves both.
func (p *Proc) Run(child *Proc, main Main) Status {
	if len(p.task.procs) >= depthMax {
		child.end(Status{Code: 2})
		return child.status
	}
	child.runOn(p.task, main)
	return child.status
}

// runOn runs main and ends p with what it returns, or with what made it end.
func (p *Proc) runOn(t *task, main Main) {
	p.task = t
	t.procs = append(t.procs, p)
	depth := len(t.procs)
	defer func() {
		r := recover()
		t.procs = t.procs[:depth-1]
		switch u, ok := r.(unwind); {
		case r == nil:
		case !ok:
			if len(p.m.crashes) < crashesMax {
				p.m.crashes = append(p.m.crashes, fmt.Sprintf("%q: %v\n%s", p.Args, r, debug.Stack()))
			}
			p.end(Status{Signal: SIGSEGV})
		case u.p == p:
			p.end(u.status)
		default:
			p.end(Status{Signal: SIGKILL})
			panic(u)
		}
	}()
	t.checkDying()
	code := main(p)
	p.end(Status{Code: code & 0xff})
}

// ready puts t at the end of the queue.
func (m *Machine) ready(t *task) {
	t.wakeAt = time.Time{}
	if !t.queued {
		t.queued = true
		m.queue = append(m.queue, t)
	}
}

// park gives way to other tasks until t is made ready.
func (t *task) park() {
	if !t.yield(struct{}{}) {
		panic(unwind{})
	}
	t.checkDying()
}

// checkDying leaves the processes that a signal has ended, outermost first.
func (t *task) checkDying() {
	for _, p := range t.procs {
		if p.dying != 0 && !p.ended {
			panic(unwind{p, Status{Signal: p.dying}})
		}
	}
}

// waiters are tasks that wait for one thing to change.
type waiters []*task

func (w *waiters) wake(m *Machine) {
	for _, t := range *w {
		m.ready(t)
	}
	*w = (*w)[:0]
}

// wait parks p until w is woken, a deadline (zero: none) has come or a signal
// arrives. It may return early: callers look again at what they wait for.
func (p *Proc) wait(w *waiters, deadline time.Time) {
	t := p.task
	if w != nil {
		*w = append(*w, t)
	}
	t.wakeAt = deadline
	defer func() {
		t.wakeAt = time.Time{}
		if w != nil {
			*w = slices.DeleteFunc(*w, func(o *task) bool { return o == t })
		}
	}()
	t.park()
}

// Sleep waits for d of virtual time. It returns early, with false, if a signal
// arrives that p handles. A negative d sleeps forever.
func (p *Proc) Sleep(d time.Duration) bool {
	deadline := time.Time{}
	if d >= 0 {
		deadline = p.m.now.Add(d)
	}
	for d < 0 || p.m.now.Before(deadline) {
		if p.pending != 0 {
			return false
		}
		p.wait(nil, deadline)
	}
	return true
}

// Poll is Sleep for a program that only looks, each time, whether something has
// changed: the clock need not advance for it.
func (p *Proc) Poll(d time.Duration) bool {
	p.task.polls = true
	defer func() { p.task.polls = false }()
	return p.Sleep(d)
}

// Charge accounts for n more bytes of memory, or fewer if n is negative. Over
// the container's limit the process is killed, as the kernel's OOM killer does.
func (p *Proc) Charge(n int64) {
	p.m.charge(p, n)
	p.memory += n
}

// Reserve accounts for n more bytes of the host's memory that are no part of what the
// container is seen to use, such as a script that was parsed, or fewer if n is negative.
// Where the host has no room for them p is killed.
func (p *Proc) Reserve(n int64) {
	if n > 0 && !p.m.account.Hold(n) {
		p.m.refuse(p)
		p.m.account.Force(n)
	}
	if n < 0 {
		p.m.account.Hold(n)
	}
	p.kept, p.m.held = p.kept+n, p.m.held+n
}

// KillForMemory ends p as the kernel's OOM killer does.
func (m *Machine) KillForMemory(p *Proc) {
	m.oom = true
	panic(unwind{p, Status{Signal: SIGKILL}})
}

// Crash ends p as the kernel ends a program at a fault.
func (m *Machine) Crash(p *Proc, s Signal) { panic(unwind{p, Status{Signal: s}}) }

// WaitInput waits until descriptor fd of p can be read, for at most d.
func (p *Proc) WaitInput(fd int, d time.Duration) bool {
	deadline := p.m.now.Add(d)
	o := p.FD(fd)
	for o != nil {
		var w *waiters
		switch h := o.handle.(type) {
		case *pipeReader:
			if len(h.data) > 0 || h.writers == 0 {
				return true
			}
			w = &h.changed
		case *stdio:
			if h.readable() {
				return true
			}
			w = &h.changed
		default:
			return true
		}
		if d >= 0 && !p.m.now.Before(deadline) || p.pending != 0 {
			return false
		}
		if d < 0 {
			deadline = time.Time{}
		}
		p.wait(w, deadline)
	}
	return false
}

// end makes p a thing of the past: descriptors close, waiters wake.
func (p *Proc) end(s Status) {
	if p.ended {
		return
	}
	p.ended, p.status = true, s
	m := p.m
	m.free(p.memory)
	p.keep(-p.kept)
	for fd := range p.fds {
		p.CloseFD(fd)
	}
	for _, o := range p.loose {
		o.drop(m)
	}
	p.loose = nil
	m.procs = slices.DeleteFunc(m.procs, func(o *Proc) bool { return o == p })
	for _, l := range slices.Clone(m.cfg.Netns.listeners) {
		if l.proc == p {
			p.Unlisten(l)
		}
	}
	p.waiting.wake(m)
	if p.PID == 1 {
		m.exited, m.status = true, s
	}
}
