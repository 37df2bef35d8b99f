package eventlog

import (
	"fmt"
	"io"
	"strings"
)

// Print says in words where two logs, of these names, part, and what likely caused that.
func Print(w io.Writer, nameA, nameB string, d *Difference) error {
	var out strings.Builder
	n := 0
	for _, l := range []*Line{d.A, d.B} {
		if l != nil {
			n = l.Number
		}
	}
	fmt.Fprintf(&out, "The logs are the same up to line %d.\n", n-1)
	if len(d.Common) > 0 {
		out.WriteString("\nThe last that both say of what differs:\n")
		for _, l := range d.Common {
			fmt.Fprintf(&out, "  %d: %s\n", l.Number, l.Text)
		}
	}
	out.WriteString("\nThe first that differs:\n")
	width := max(len(nameA), len(nameB))
	for _, side := range []struct {
		name string
		line *Line
	}{{nameA, d.A}, {nameB, d.B}} {
		text := "(the log ends)"
		if side.line != nil {
			text = side.line.Text
		}
		fmt.Fprintf(&out, "  %-*s:%d: %s\n", width, side.name, n, text)
	}
	fmt.Fprintf(&out, "\nWhat differs: %s.\nLikely cause: %s.\n", d.whatText(nameA, nameB), d.cause(nameA, nameB))
	_, err := io.WriteString(w, out.String())
	return err
}

// whatText names the fields that differ, and the order.
func (d *Difference) whatText(a, b string) string {
	if d.A == nil || d.B == nil {
		return "one log ends here"
	}
	text := "the " + list(d.What)
	switch {
	case d.Name:
		text += ", whose name has another random end"
	case d.A.step() == d.B.step():
		text += ": both do the same"
	case d.Order == Swapped:
		text += ": each does later what the other does now, so it is the order"
	case d.Order == OnlyA:
		text += fmt.Sprintf(": %s goes on with what comes later in %s, and never does what that does here", b, a)
	case d.Order == OnlyB:
		text += fmt.Sprintf(": %s goes on with what comes later in %s, and never does what that does here", a, b)
	}
	return text
}

func list(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}

// cause is what most likely made the logs part. Before that they are the same, so it is
// an input at this place, or something that the log does not show.
func (d *Difference) cause(a, b string) string {
	if d.A == nil || d.B == nil {
		return d.causeOfEnd(a, b)
	}
	if text := d.causeByInput(a, b); text != "" {
		return text
	}
	switch {
	case d.Name:
		return "another --seed, from which names are drawn: " + inputsSame(d)
	case d.A.Number == 1 && d.A.step() == d.B.step():
		return "another --start-time, or a cluster that was there before"
	case d.A.step() == d.B.step():
		return "something takes longer in one of them: " + inputsSame(d) + ". " + hidden
	case !d.A.At.Equal(d.B.At) && (d.A.Client() || d.B.Client()):
		return d.causeByClock(a, b)
	}
	return inputsSame(d) + ". " + hidden
}

// hidden is what a log does not show.
const hidden = "The log has names, not contents: look for another --seed, from which durations are drawn, another manifest, PodScript or Fault, or another kubesim"

// causeByClock is for a client that does something before time moves in one log only.
func (d *Difference) causeByClock(a, b string) string {
	first, then, other, l := a, b, d.B, d.A
	if d.B.At.Before(d.A.At) {
		first, then, other, l = b, a, d.A, d.B
	}
	text := fmt.Sprintf("the clock was moved at another time: %s reaches %s first", then, stamp(other))
	if l.Client() {
		return text + fmt.Sprintf(", %s does %s before that", first, doing(l))
	}
	return text + fmt.Sprintf(", with a client's %s, which comes later in %s", doing(other), first)
}

func stamp(l *Line) string { return l.At.Format("2006-01-02T15:04:05.999999999Z") }

// inputsSame says how far clients did the same.
func inputsSame(d *Difference) string {
	if d.Input == nil {
		return "what clients did is the same in both logs, in the same order"
	}
	return "what clients did is the same in both logs up to here"
}

// causeByInput names the input that only one of the logs has at this place, or has here.
func (d *Difference) causeByInput(a, b string) string {
	if !d.A.Client() && !d.B.Client() || d.Input == nil {
		return ""
	}
	x, y := d.Input.A, d.Input.B
	switch {
	case x == nil || y != nil && d.Order == OnlyB && d.B.Client():
		return fmt.Sprintf("an input from outside that only %s has, the %s of clients: %s", b, ordinal(d.Input.N), doing(y))
	case y == nil || d.Order == OnlyA && d.A.Client():
		return fmt.Sprintf("an input from outside that only %s has, the %s of clients: %s", a, ordinal(d.Input.N), doing(x))
	case d.Order == Swapped:
		return fmt.Sprintf("clients did the same in another order: as the %s, %s did %s, and %s did %s", ordinal(d.Input.N), a, doing(x), b, doing(y))
	case stem(x.Object) == stem(y.Object) && x.Verb == y.Verb:
		return fmt.Sprintf("another --seed: a name that the server generates for a client differs, %s and %s", x.Object, y.Object)
	}
	return fmt.Sprintf("another input from outside, the %s of clients: %s did %s, and %s did %s", ordinal(d.Input.N), a, doing(x), b, doing(y))
}

// causeOfEnd says what it means that one log ends before the other.
func (d *Difference) causeOfEnd(a, b string) string {
	short, long, next := a, b, d.B
	if d.A != nil {
		short, long, next = b, a, d.A
	}
	if next.Client() {
		return fmt.Sprintf("an input from outside that only %s has: %s", long, doing(next))
	}
	return fmt.Sprintf("the run of %s was stopped earlier, or its clock did not go on: %s goes on without an input", short, long)
}

// doing is a client's line without when.
func doing(l *Line) string { return strings.TrimSpace(l.Verb + " " + l.Object) }

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
