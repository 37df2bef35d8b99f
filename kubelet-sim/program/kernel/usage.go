package kernel

import "slices"

// Usage is what a container uses of its node.
type Usage struct {
	// MilliCPU is what it uses from now on until it is resumed: what its programs
	// say, and one core while a process does not wait. What is done between two
	// waits, at one instant, does not count. Unit: thousandths of a core.
	MilliCPU int64
	// Memory is what it holds. Unit: bytes.
	Memory int64
}

// memoryBase is what a container's smallest program holds, a sleeping busybox.
// Unit: bytes.
const memoryBase = 400 << 10

// busyMilliCPU is what a process uses that does not wait: one core.
const busyMilliCPU = 1000

// Usage is what the container uses now.
func (m *Machine) Usage() Usage {
	u := Usage{Memory: memoryBase + m.memory}
	for _, p := range m.procs {
		u.MilliCPU += p.usage.MilliCPU
		u.Memory += p.usage.Memory
	}
	if len(m.queue) > 0 {
		u.MilliCPU += busyMilliCPU
	}
	return u
}

// Use says what a program uses from now on whose work is not simulated step by
// step, until it says otherwise or ends. Over the container's limit of memory
// the process is killed, as the kernel's OOM killer does. Another process may say it for p.
func (p *Proc) Use(milliCPU, bytes int64) {
	p.usage = Usage{MilliCPU: milliCPU, Memory: bytes}
	if limit := p.m.cfg.MemoryLimit; limit <= 0 || p.m.Usage().Memory <= limit {
		return
	}
	if running := p.m.current; running != nil && !slices.Contains(running.procs, p) {
		p.m.oom = true
		p.Kill(SIGKILL, true)
		return
	}
	p.m.KillForMemory(p)
}

// Idle is Use for a server that waits for its clients, and that finds its place
// in whatever memory the container has.
func (p *Proc) Idle(milliCPU, bytes int64) {
	if limit := p.m.cfg.MemoryLimit; limit > 0 {
		bytes = min(bytes, limit/2)
	}
	p.usage = Usage{MilliCPU: milliCPU, Memory: bytes}
}

// SetMemoryLimit changes what the container may use, in bytes; 0: no limit.
func (m *Machine) SetMemoryLimit(bytes int64) { m.cfg.MemoryLimit = bytes }
