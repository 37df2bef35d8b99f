// Package match finds patterns in texts: regular expressions and the patterns of
// shells.
//
// Invariant: a match costs its caller steps in proportion to the work that it is,
// and gives way in the middle, whatever the pattern and the text are. No match goes
// back: a regular expression takes at most the length of the text times the size of
// the program that it is compiled to, a shell's pattern the length of the text times
// its own. What is larger than the bounds of this package is refused.
//
// Short texts are left to package regexp, which is faster: its work on them is
// bounded by PieceMax.
package match

// Meter is told of work before it is done, and may let others go on meanwhile.
type Meter interface {
	// Step accounts for n steps, of about a microsecond each.
	Step(n int)
}

// The bounds of patterns.
const (
	// sourceMax bounds the text of one. Unit: bytes.
	sourceMax = 128 << 10
	// sizeMax bounds the program that a regular expression is compiled to. Unit:
	// instructions.
	sizeMax = 1 << 16
	// threadsMax bounds what the groups of all states take. Unit: places in a text.
	threadsMax = 1 << 22
)

// PieceMax bounds the work that is not interrupted. Unit: instructions of a
// regular expression's program, each of some 10 ns.
const PieceMax = 64 << 10

// instructionsPerStep is what costs a step.
const instructionsPerStep = 128

// ledger collects small amounts of work.
type ledger struct {
	m    Meter
	work int // since the last step, in instructions
}

// add accounts for n instructions. Some of them may be done already.
func (l *ledger) add(n int) {
	if l.work += n; l.work >= instructionsPerStep {
		n = l.work / instructionsPerStep
		l.work %= instructionsPerStep
		l.m.Step(n)
	}
}
