package kernel

import (
	"slices"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// The bounds of a container.
const (
	// stepsMax is what its processes may do between two instants. Unit: steps;
	// a step is a command, a turn of a loop or some 256 bytes copied, which
	// costs the host between 0.1 and 2 µs.
	stepsMax = 10_000
	// sliceMax is what one process may do before others have their turn.
	sliceMax = 500
	// busyMin and busyMax bound the virtual time that using up stepsMax costs.
	// It doubles while the container stays busy. Unit: virtual time.
	busyMin = 10 * time.Millisecond
	busyMax = time.Second
	// processesMax bounds the processes alive, as a node's pid limit.
	processesMax = 512
	// memoryMax bounds what processes hold in memory where the container has
	// no lower limit. Unit: bytes.
	memoryMax = 64 << 20
	// depthMax bounds how deep processes may nest on one coroutine.
	depthMax = 100
	// crashesMax bounds what is kept of the simulator's own defects.
	crashesMax = 10
)

// Chunk is one write to standard output or error, at an instant of virtual time.
type Chunk struct {
	At     time.Time
	Stderr bool
	Data   []byte
}

// Config says what a Machine is made of.
type Config struct {
	Root         *vfs.FS
	ReadOnlyRoot bool
	Hostname     string
	Seed         uint64
	MemoryLimit  int64 // bytes; 0: none
	CPULimit     int64 // thousandths of a core; 0: none
	// Spent is told what answering a request costs at an instant. Unit: time of one
	// core. It may be nil.
	Spent func(at time.Time, cpu time.Duration)
	// Netns is shared by the containers of a Pod; nil: one of its own.
	Netns   *Netns
	Network Network
	// Account is charged with what the processes hold; nil for nobody.
	Account Account
	// Woken is called where another container, or who else holds an End of a
	// connection, has given this one work: it is to be resumed at an instant,
	// after the call. It may be nil.
	Woken func(at time.Time)
	// Programs finds the Main of a program file's name, see Executable.
	Programs func(name string) Main
}

// Machine is one container.
type Machine struct {
	cfg      Config
	boot     time.Time
	now      time.Time
	random   uint64
	tasks    []*task // alive, in order of creation
	queue    []*task // ready to run, in order
	current  *task
	steps    int // left until the container is suspended
	busy     time.Duration
	procs    []*Proc // alive, by PID
	lastPID  int
	lastPipe int
	exited   bool
	status   Status
	oom      bool
	memory   int64
	account  Account
	held     int64  // that the account was charged with
	dials    uint64 // connections that were opened
	cpu      bandwidth
	past     bool     // a client that is answered does once more what it has done, see Route
	crashes  []string // the first of them
	closed   bool
}

// New returns a machine without processes whose clock shows now.
func New(cfg Config, now time.Time) *Machine {
	if cfg.Netns == nil {
		cfg.Netns = &Netns{}
	}
	m := &Machine{cfg: cfg, account: accountOr(cfg.Account), boot: now, now: now, random: cfg.Seed, busy: busyMin, cpu: bandwidth{limit: cfg.CPULimit}}
	return m
}

// Now is the present instant of virtual time.
func (m *Machine) Now() time.Time { return m.now }

// Root is the container's file system.
func (m *Machine) Root() *vfs.FS { return m.cfg.Root }

// Exited tells whether process 1 has ended, and how.
func (m *Machine) Exited() (Status, bool) { return m.status, m.exited }

// OOMKilled tells whether a process was killed for its use of memory.
func (m *Machine) OOMKilled() bool { return m.oom }

// Crashes lists the Go panics of programs: defects of the simulator, which the
// container sees as segmentation faults. Tests expect none.
func (m *Machine) Crashes() []string { return m.crashes }

// Resume sets the clock and runs what is due until every process waits.
func (m *Machine) Resume(now time.Time) {
	if m.exited || m.closed {
		return
	}
	if now.After(m.now) {
		m.now = now
	}
	m.steps = stepsMax
	m.wakeDue()
	for len(m.queue) > 0 && m.steps > 0 && !m.exited {
		t := m.queue[0]
		m.queue = slices.Delete(m.queue, 0, 1)
		t.queued = false
		m.run(t)
	}
	switch {
	case m.exited:
		m.Close()
	case len(m.queue) == 0:
		m.busy = busyMin
	default:
		m.busy = min(2*m.busy, busyMax)
	}
}

// Work is what the last Resume did. Unit: steps, see Proc.Step.
func (m *Machine) Work() int { return stepsMax - m.steps }

// Busy reports whether a process does not wait, and has only had its steps.
func (m *Machine) Busy() bool { return !m.exited && !m.closed && len(m.queue) > 0 }

func (m *Machine) run(t *task) {
	t.slice = sliceMax
	m.current = t
	_, alive := t.resume()
	m.current = nil
	if !alive {
		m.tasks = slices.DeleteFunc(m.tasks, func(o *task) bool { return o == t })
	}
}

// wakeDue makes the tasks ready whose time has come, earliest first; tasks of
// one instant keep the order in which they were made.
func (m *Machine) wakeDue() {
	var due []*task
	for _, t := range m.tasks {
		if !t.wakeAt.IsZero() && !t.wakeAt.After(m.now) {
			due = append(due, t)
		}
	}
	slices.SortStableFunc(due, func(a, b *task) int { return a.wakeAt.Compare(b.wakeAt) })
	for _, t := range due {
		m.ready(t)
	}
}

// WakeAt is when Resume must be called next; zero if only a signal or input
// can make a process go on.
func (m *Machine) WakeAt() time.Time {
	if m.exited || m.closed {
		return time.Time{}
	}
	if len(m.queue) > 0 {
		return m.now.Add(m.busy)
	}
	var at time.Time
	for _, t := range m.tasks {
		if !t.wakeAt.IsZero() && (at.IsZero() || t.wakeAt.Before(at)) {
			at = t.wakeAt
		}
	}
	return at
}

// Close ends every process and frees its coroutine. It may be called twice.
func (m *Machine) Close() {
	m.closed = true
	for len(m.tasks) > 0 {
		t := m.tasks[len(m.tasks)-1]
		m.tasks = m.tasks[:len(m.tasks)-1]
		t.stop()
	}
	m.queue, m.procs = nil, nil
	m.keep(-m.held)
	m.account = nobody{}
}

// Random returns the next number of the container's seeded source (splitmix64).
func (m *Machine) Random() uint64 {
	m.random += 0x9e3779b97f4a7c15
	return mix(m.random)
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Boot is the instant at which the container started.
func (m *Machine) Boot() time.Time { return m.boot }

// Netns holds the ports of the Pod.
func (m *Machine) Netns() *Netns { return m.cfg.Netns }

// MemoryLimit is what the container may use, in bytes; 0: no limit.
func (m *Machine) MemoryLimit() int64 { return m.cfg.MemoryLimit }

// User is p's user in the file system.
func (p *Proc) User() vfs.User {
	return vfs.User{UID: p.UID, GID: p.GID, Groups: p.Groups, Now: p.m.now, ReadOnlyRoot: p.m.cfg.ReadOnlyRoot}
}
