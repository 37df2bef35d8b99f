package match

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// Regexp is a regular expression in the syntax of package regexp.
type Regexp struct {
	std     *regexp.Regexp
	size    int // instructions
	groups  int
	longest bool
	source  string
	prog    *syntax.Prog // made when a long text comes
}

// ErrTooBig says that an expression is larger than any real one.
var ErrTooBig = errors.New("regular expression too big")

// Compile reads an expression. Longest makes the longest of the leftmost matches
// win, as POSIX has it, and not the first that is found.
func Compile(m Meter, source string, longest bool) (*Regexp, error) {
	if len(source) > sourceMax {
		return nil, ErrTooBig
	}
	m.Step(weight(source))
	if !utf8.ValidString(source) {
		// Package regexp takes UTF-8 alone, and sees U+FFFD for each byte of a text that
		// is none.
		//
		// Deviation: such a byte of an expression matches every other such byte.
		source = string([]rune(source))
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	groups := tree.MaxCap()
	size := programSize(tree)
	if size > sizeMax || size*(groups+1)*2 > threadsMax {
		return nil, ErrTooBig
	}
	m.Step(size / 16)
	std, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	if longest {
		std.Longest()
	}
	return &Regexp{std: std, size: size, groups: groups, longest: longest, source: source}, nil
}

// weight is what it costs to read an expression, in steps. Classes of Unicode
// are long lists.
func weight(source string) int {
	n := len(source) / 8
	for i := 0; i+1 < len(source); i++ {
		if source[i] == '\\' && source[i+1]|0x20 == 'p' {
			n += 20
		}
	}
	return n
}

// programSize is at least how many instructions an expression is compiled to; it
// stops counting beyond the bound.
func programSize(re *syntax.Regexp) int {
	n := 2
	for _, sub := range re.Sub {
		if n += programSize(sub); n > sizeMax {
			return n
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		n += len(re.Rune)
	case syntax.OpCharClass:
		n += len(re.Rune) / 8
	case syntax.OpRepeat:
		n *= max(re.Max, re.Min, 1) + 1
	}
	return n
}

// Groups is how many groups the expression has.
func (re *Regexp) Groups() int { return re.groups }

// String is the expression.
func (re *Regexp) String() string { return re.source }

// Match tells whether the expression matches a part of s.
func (re *Regexp) Match(m Meter, s string) bool {
	if re.short(len(s)) {
		m.Step(re.size * len(s) / 2048)
		return re.std.MatchString(s)
	}
	return re.search(m, s, 0, 0) != nil
}

// short tells whether package regexp may look at n bytes: it is not interrupted.
func (re *Regexp) short(n int) bool {
	return n*re.size <= PieceMax && re.size*(re.groups+1)*2 <= PieceMax
}

// Find returns where the first match in s from pos on is, and where its groups are,
// at most so many, as package regexp does; nil if there is none.
func (re *Regexp) Find(m Meter, s string, pos, groups int) []int {
	groups = min(groups, re.groups)
	if pos == 0 && re.short(len(s)) {
		m.Step(re.size * len(s) / 2048)
		found := re.std.FindStringSubmatchIndex(s)
		if found != nil {
			found = found[:2*groups+2]
		}
		return found
	}
	return re.search(m, s, pos, 2*groups+2)
}

// oneByOne is up to which length of a text package regexp may look for all matches:
// each search may look at all that follows. Unit: bytes.
const oneByOne = 256

// All calls do for each match in s that does not overlap one before, in order,
// until do returns false. The places hold until it returns.
func (re *Regexp) All(m Meter, s string, groups int, do func(at []int) bool) {
	groups = min(groups, re.groups)
	if len(s) <= oneByOne && re.short(len(s)) {
		found := re.std.FindAllStringSubmatchIndex(s, -1)
		m.Step((len(found) + 1) * re.size * len(s) / 4096)
		for _, at := range found {
			if !do(at[:2*groups+2]) {
				return
			}
		}
		return
	}
	re.each(m, s, groups, do)
}

// each is All by a machine of ours.
func (re *Regexp) each(m Meter, s string, groups int, do func(at []int) bool) {
	vm := re.machine(m, s, 2*groups+2)
	for pos, last := 0, -1; pos <= len(s); {
		at := vm.run(pos)
		if at == nil {
			return
		}
		accept := true
		if at[1] == pos { // an empty match, or one that ends where the last one does
			accept = at[0] != last
			_, width := utf8.DecodeRuneInString(s[pos:])
			pos += max(width, 1)
		} else {
			pos = at[1]
		}
		last = at[1]
		if accept && !do(at) {
			return
		}
	}
}

func (re *Regexp) search(m Meter, s string, pos, places int) []int {
	return re.machine(m, s, places).run(pos)
}

// machine returns what looks at a long text.
func (re *Regexp) machine(m Meter, s string, places int) *machine {
	if re.prog == nil {
		m.Step(re.size / 16)
		tree, err := syntax.Parse(re.source, syntax.Perl)
		if err == nil {
			re.prog, err = syntax.Compile(tree.Simplify())
		}
		if err != nil { // Compile has read it
			re.prog = &syntax.Prog{Inst: []syntax.Inst{{Op: syntax.InstFail}}}
		}
	}
	prefix, _ := re.std.LiteralPrefix()
	return &machine{prog: re.prog, prefix: prefix, text: s, longest: re.longest, places: places, ledger: ledger{m: m}}
}
