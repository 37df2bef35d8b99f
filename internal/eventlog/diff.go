package eventlog

import (
	"regexp"
	"slices"
	"strings"
)

// Difference is where two logs diverge.
type Difference struct {
	// A and B are the first lines that differ; nil if a log has ended.
	A, B *Line
	// Common has the last lines that both logs have about the objects of A and B, in
	// the order of the log.
	Common []Line
	// What says what differs: "instant", "revision", "actor", "verb", "object", "text",
	// "end".
	What []string
	// Order says whether the step of one log comes later in the other.
	Order Order
	// Input is the first line of clients in which the logs differ, or nil if there is
	// none. If a log has ended, or has no more such lines, its side is nil.
	Input *Inputs
	// Name says that the objects differ only in the random part of their names.
	Name bool
}

// Order says how the first two differing lines are found in the other log.
type Order string

// The orders.
const (
	// Swapped means that each log does later what the other does now.
	Swapped Order = "swapped"
	// OnlyA and OnlyB mean that only one of the logs has this step at all. The other
	// continues with what this one does after the step.
	OnlyA Order = "only A"
	OnlyB Order = "only B"
	// Apart means that neither log has the other's step.
	Apart Order = "apart"
)

// Inputs are the first lines of clients that differ.
type Inputs struct {
	// N counts from 1, and counts only clients' lines.
	N    int
	A, B *Line
}

// Compare returns where two logs diverge, or nil if they are the same.
func Compare(a, b []Line) *Difference {
	n := 0
	for n < min(len(a), len(b)) && a[n].Text == b[n].Text {
		n++
	}
	if n == len(a) && n == len(b) {
		return nil
	}
	d := &Difference{A: at(a, n), B: at(b, n), Input: inputs(a, b)}
	d.Common = common(a[:n], d.A, d.B)
	d.What = what(d.A, d.B)
	d.Order = order(a, b, n)
	d.Name = d.A != nil && d.B != nil && d.A.Object != d.B.Object && stem(d.A.Object) == stem(d.B.Object)
	return d
}

func at(lines []Line, n int) *Line {
	if n < len(lines) {
		return &lines[n]
	}
	return nil
}

// common returns the last lines about the objects of each of two lines. For a line that
// is not a commit, it returns those about its actor.
func common(before []Line, pair ...*Line) []Line {
	var out []Line
	for _, l := range pair {
		if l == nil {
			continue
		}
		for _, c := range slices.Backward(before) {
			if l.Object != "" && c.Object == l.Object || l.Object == "" && c.Actor == l.Actor {
				out = append(out, c)
				break
			}
		}
	}
	slices.SortFunc(out, func(x, y Line) int { return x.Number - y.Number })
	return slices.CompactFunc(out, func(x, y Line) bool { return x.Number == y.Number })
}

func what(a, b *Line) []string {
	if a == nil || b == nil {
		return []string{"end"}
	}
	var out []string
	verb := "verb"
	if a.Object == "" && b.Object == "" {
		verb = "text"
	}
	for _, f := range []struct {
		name string
		same bool
	}{
		{"instant", a.At.Equal(b.At)}, {"revision", a.Revision == b.Revision}, {"actor", a.Actor == b.Actor},
		{verb, a.Verb == b.Verb}, {"object", a.Object == b.Object},
	} {
		if !f.same {
			out = append(out, f.name)
		}
	}
	return out
}

// order looks for each log's next step in the rest of the other.
func order(a, b []Line, n int) Order {
	later := func(l *Line, in []Line) bool {
		return l != nil && slices.ContainsFunc(in, func(o Line) bool { return o.step() == l.step() })
	}
	aInB, bInA := later(at(a, n), b[min(n, len(b)):]), later(at(b, n), a[min(n, len(a)):])
	switch {
	case aInB && bInA:
		return Swapped
	case bInA:
		return OnlyA
	case aInB:
		return OnlyB
	}
	return Apart
}

// inputs compares what clients did. The time at which they did it does not count: it
// follows from what came before.
func inputs(a, b []Line) *Inputs {
	x, y := clients(a), clients(b)
	for i := 0; i < len(x) || i < len(y); i++ {
		if i >= len(x) || i >= len(y) || x[i].step() != y[i].step() {
			return &Inputs{N: i + 1, A: at(x, i), B: at(y, i)}
		}
	}
	return nil
}

func clients(lines []Line) []Line {
	var out []Line
	for _, l := range lines {
		if l.Client() {
			out = append(out, l)
		}
	}
	return out
}

// generated is the random end of a name, and all that follows it in an Event's.
// Source of the letters: k8s.io/apimachinery pkg/util/rand.
var generated = regexp.MustCompile(`-[bcdfghjklmnpqrstvwxz2456789]{5}(\.[0-9a-f]+)?$`)

// stem is an object without the random end of its name.
func stem(object string) string {
	if at := generated.FindStringIndex(object); at != nil && strings.Contains(object[:at[0]], "/") {
		return object[:at[0]]
	}
	return object
}
