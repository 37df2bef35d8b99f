package match

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// machine runs a program over a text, all its states at once: what package regexp
// does for long texts, but with an account of the work. That one takes no meter,
// and starts in the middle of a text only by functions that do not say how much
// they look at.
//
// Source: regexp/exec.go of Go 1.26, which is after Pike's and Thompson's.
type machine struct {
	ledger
	prog    *syntax.Prog
	prefix  string // that every match begins with
	text    string
	longest bool
	places  int // of groups that are wanted, two each; 0: none

	matched bool
	best    []int
	now     queue
	next    queue
	free    []*thread
}

// thread is a state: an instruction that looks at the next character, and where
// the groups are on the way to it.
type thread struct {
	at   *syntax.Inst
	caps []int
}

// queue is a set of states in order of preference.
type queue struct {
	sparse []uint32
	dense  []entry
}

type entry struct {
	pc uint32
	t  *thread
}

const endOfText rune = -1

// place is a place between two characters.
type place struct {
	pos           int
	before, after rune
}

func (p place) holds(op syntax.EmptyOp) bool {
	return syntax.EmptyOpContext(p.before, p.after)&op == op
}

func (vm *machine) rune(pos int) (rune, int) {
	if pos >= len(vm.text) {
		return endOfText, 0
	}
	if c := vm.text[pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(vm.text[pos:])
}

// run returns where the first match from pos on is, and its groups; nil if there is
// none. It may be called again.
func (vm *machine) run(pos int) []int {
	size := len(vm.prog.Inst)
	vm.m.Step(size / 256)
	if vm.best == nil {
		vm.now = queue{make([]uint32, size), make([]entry, 0, size)}
		vm.next = queue{make([]uint32, size), make([]entry, 0, size)}
		vm.best = make([]int, max(vm.places, 2))
	}
	vm.now.dense, vm.next.dense, vm.matched = vm.now.dense[:0], vm.next.dense[:0], false
	begin := vm.prog.StartCond()
	if begin == ^syntax.EmptyOp(0) || begin&syntax.EmptyBeginText != 0 && pos != 0 {
		return nil
	}
	before := endOfText
	if pos > 0 {
		before, _ = utf8.DecodeLastRuneInString(vm.text[:pos])
	}
	for len(vm.now.dense) > 0 || !vm.matched && (begin&syntax.EmptyBeginText == 0 || pos == 0) {
		if at := vm.skip(pos); at != pos {
			if pos = at; pos < 0 {
				break
			}
			before, _ = utf8.DecodeLastRuneInString(vm.text[:pos])
		}
		c, width := vm.rune(pos)
		here := place{pos, before, c}
		if !vm.matched {
			caps := vm.best[:vm.places]
			if vm.places > 0 {
				for i := range caps {
					caps[i] = -1
				}
				caps[0] = pos
			}
			vm.follow(&vm.now, uint32(vm.prog.Start), here, caps, nil)
		}
		after, _ := vm.rune(pos + width)
		vm.step(place{pos + width, c, after}, pos, c)
		vm.add(2)
		if width == 0 || vm.matched && vm.places == 0 {
			break
		}
		pos, before = pos+width, c
		vm.now, vm.next = vm.next, vm.now
	}
	if !vm.matched {
		return nil
	}
	return vm.best[:vm.places]
}

// skipMax is how much skip looks at in one go. Unit: bytes.
const skipMax = 256 << 10

// skip returns the next place from pos on where a match may begin, -1 if there is
// none, as long as no state is under way.
func (vm *machine) skip(pos int) int {
	if vm.prefix == "" || vm.matched || len(vm.now.dense) > 0 {
		return pos
	}
	for pos+len(vm.prefix) <= len(vm.text) {
		window := vm.text[pos:min(len(vm.text), pos+skipMax+len(vm.prefix))]
		if i := strings.Index(window, vm.prefix); i >= 0 {
			vm.add(i / 16)
			return pos + i
		}
		vm.add(len(window) / 16)
		pos += len(window) - len(vm.prefix) + 1
	}
	return -1
}

// step moves every state over the character c at pos; to is the place behind it.
func (vm *machine) step(to place, pos int, c rune) {
	vm.add(len(vm.now.dense))
	for i := range vm.now.dense {
		t := vm.now.dense[i].t
		if t == nil {
			continue
		}
		if vm.longest && vm.matched && vm.places > 0 && vm.best[0] < t.caps[0] {
			vm.free = append(vm.free, t)
			continue
		}
		if t.at.Op != syntax.InstMatch {
			if matches(t.at, c) {
				t = vm.follow(&vm.next, t.at.Out, to, t.caps, t)
			}
			if t != nil {
				vm.free = append(vm.free, t)
			}
			continue
		}
		if vm.places > 0 && (!vm.longest || !vm.matched || vm.best[1] < pos) {
			t.caps[1] = pos
			copy(vm.best, t.caps)
		}
		vm.matched = true
		vm.free = append(vm.free, t)
		if !vm.longest { // what comes later is wanted less
			for _, e := range vm.now.dense[i+1:] {
				if e.t != nil {
					vm.free = append(vm.free, e.t)
				}
			}
			break
		}
	}
	vm.now.dense = vm.now.dense[:0]
}

func matches(i *syntax.Inst, c rune) bool {
	switch i.Op {
	case syntax.InstRune:
		return i.MatchRune(c)
	case syntax.InstRune1:
		return c == i.Rune[0]
	case syntax.InstRuneAny:
		return c != endOfText
	case syntax.InstRuneAnyNotNL:
		return c != '\n' && c != endOfText
	}
	return false
}

// follow adds the states that are reached from an instruction without a character.
// t, if it is not nil, may be used for one of them; what is returned was not.
func (vm *machine) follow(q *queue, pc uint32, here place, caps []int, t *thread) *thread {
	for pc != 0 {
		if j := q.sparse[pc]; j < uint32(len(q.dense)) && q.dense[j].pc == pc {
			return t
		}
		vm.work++
		j := len(q.dense)
		q.dense = append(q.dense, entry{pc: pc})
		q.sparse[pc] = uint32(j)
		i := &vm.prog.Inst[pc]
		switch i.Op {
		case syntax.InstFail:
			return t
		case syntax.InstAlt, syntax.InstAltMatch:
			t = vm.follow(q, i.Out, here, caps, t)
			pc = i.Arg
		case syntax.InstEmptyWidth:
			if !here.holds(syntax.EmptyOp(i.Arg)) {
				return t
			}
			pc = i.Out
		case syntax.InstNop:
			pc = i.Out
		case syntax.InstCapture:
			if int(i.Arg) < len(caps) {
				old := caps[i.Arg]
				caps[i.Arg] = here.pos
				vm.follow(q, i.Out, here, caps, nil)
				caps[i.Arg] = old
				return t
			}
			pc = i.Out
		default:
			if t == nil {
				t = vm.thread()
			}
			t.at = i
			if len(caps) > 0 && &t.caps[0] != &caps[0] {
				copy(t.caps, caps)
			}
			q.dense[j].t = t
			return nil
		}
	}
	return t
}

func (vm *machine) thread() *thread {
	if n := len(vm.free); n > 0 {
		t := vm.free[n-1]
		vm.free = vm.free[:n-1]
		return t
	}
	return &thread{caps: make([]int, vm.places)}
}
