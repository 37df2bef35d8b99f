package kernel

// The meter. Whatever a program makes the simulator do costs steps, before it is
// done, in proportion to the size of what is looked at. Nothing else keeps one
// program from holding the engine, which all the cluster waits for: a container
// that has used up its steps of an instant goes on at a later one.
//
// Two rules follow. Code that works on data of any size calls Step, StepBytes or Work
// first, or goes through what does: descriptors, ReadFile, Stat and its like, and
// package match for patterns. And work on more than PieceMax bytes is cut into pieces,
// with a call before each, because a piece cannot be interrupted.

// PieceMax is how much a program looks at in one go. Unit: bytes. Where a library
// does the work it may be a whole value of a shell, 1 MiB, or the contents of one
// file of a list that is sorted, which takes the host some 50 ms.
const PieceMax = 64 << 10

// workUnit is how many bytes, copied or compared, cost a step.
const workUnit = 256

// Step accounts for n steps of work. When the process has had its share it waits
// for its next turn. What is more than the container may do at one instant is
// paid off over several.
func (p *Proc) Step(n int) {
	t, m := p.task, p.m
	if t == nil {
		return // it has not begun to run
	}
	if m.current != t { // somebody else calls, who cannot give way for p
		t.debt += n
		return
	}
	n += t.debt
	t.debt = 0
	for {
		part := min(n, max(m.steps, 1))
		m.steps -= part
		t.slice -= part
		n -= part
		if m.steps > 0 && t.slice > 0 {
			return
		}
		if t.slice <= 0 && m.steps > 0 && len(m.queue) == 0 {
			t.slice = sliceMax
			return
		}
		m.ready(t)
		t.park()
		if n <= 0 {
			return
		}
	}
}

// StepBytes accounts for the work of copying n bytes, and a step for being called.
func (p *Proc) StepBytes(n int) { p.Step(1 + n/workUnit) }

// Work accounts for looking at n bytes, where that may be very few: it costs a
// step for each 256 bytes in all.
func (p *Proc) Work(n int) {
	t := p.task
	if t == nil {
		return
	}
	if t.rest += n; t.rest >= workUnit {
		n = t.rest / workUnit
		t.rest %= workUnit
		p.Step(n)
	}
}

// Owe is Work where the process cannot give way, as within a file system: it does
// so at its next step.
func (p *Proc) Owe(n int) {
	if t := p.task; t != nil {
		t.rest += n
		t.debt += t.rest / workUnit
		t.rest %= workUnit
	}
}

// InPieces calls do for a text's pieces of at most PieceMax bytes, in order, and
// accounts for the work of each before.
func (p *Proc) InPieces(s string, do func(piece string)) {
	for len(s) > PieceMax {
		p.Work(PieceMax)
		do(s[:PieceMax])
		s = s[PieceMax:]
	}
	p.Work(len(s))
	do(s)
}
