package kernel

import "slices"

// Account is charged with the bytes of the host that a container's processes hold.
type Account interface {
	// Hold charges n more bytes, or gives them back if n is negative. It is false,
	// and charges nothing, where there is no room for them.
	Hold(n int64) bool
	// Force charges n bytes that are held already.
	Force(n int64)
}

// nobody is the account of a machine that has none.
type nobody struct{}

func (nobody) Hold(int64) bool { return true }
func (nobody) Force(int64)     {}

func accountOr(a Account) Account {
	if a == nil {
		return nobody{}
	}
	return a
}

// What a process, one of its descriptors and one direction of a connection take of the
// host beside their contents. They are no part of what the container is seen to use.
// Unit: bytes.
const (
	procCost = 16 << 10
	fdCost   = 256
	flowCost = 512
)

// keep charges n bytes of m's to the account alone, which may not be refused any more.
func (m *Machine) keep(n int64) {
	m.held += n
	if n > 0 {
		m.account.Force(n)
		return
	}
	m.account.Hold(n)
}

// charge accounts for n more bytes of the container's memory, or fewer if n is negative.
// Over the container's limit, or where the host has no room for them, p is killed, as
// the kernel's OOM killer does.
func (m *Machine) charge(p *Proc, n int64) {
	if n <= 0 {
		m.free(-n)
		return
	}
	limit := int64(memoryMax)
	if l := m.cfg.MemoryLimit; l > 0 && l < limit {
		limit = l
	}
	if m.memory+n > limit || !m.account.Hold(n) {
		m.refuse(p)
		m.account.Force(n)
	}
	m.held, m.memory = m.held+n, m.memory+n
}

// refuse ends p, or the process that runs in its place: a process may be charged for another that has
// not begun to run. It returns where none runs, because a client outside has something
// to say: p ends when it runs again.
func (m *Machine) refuse(p *Proc) {
	if m.current == nil || len(m.current.procs) == 0 {
		m.oom = true
		p.Kill(SIGKILL, true)
		return
	}
	if running := m.current.procs; !slices.Contains(running, p) {
		p = running[len(running)-1]
	}
	m.KillForMemory(p)
}

// free gives back n bytes of any holder.
func (m *Machine) free(n int64) {
	m.account.Hold(-n)
	m.held, m.memory = m.held-n, m.memory-n
}

// keep accounts for what p takes of the host beside its memory.
func (p *Proc) keep(n int64) {
	p.kept += n
	p.m.keep(n)
}
