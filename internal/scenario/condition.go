package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// condition is what an expectation is about. Its methods read nothing but their
// arguments, whose lock the caller holds.
type condition interface {
	// holds reports whether it is true now. What cannot be told is not true.
	holds(w *World, t moment) bool
	// version is another one once something has changed that holds looks at.
	version(w *World) int64
	// explain says what was wanted and what there is.
	explain(w *World, t moment) detail
	// check says why it can never be told.
	check(w *World) error
}

// moment is when a condition is looked at.
type moment struct{ start, now time.Time }

// detail is how a condition stands.
type detail struct {
	Expected, Actual string
	// Objects are those that it is about and that are worth showing.
	Objects []map[string]any
	// Want is what the only one of Objects should have been; nil if nobody can say.
	Want map[string]any
	// About are the objects whose Events are of interest.
	About []string
}

// existsCondition counts objects.
type existsCondition struct {
	ref ref
	// least and exact are numbers of objects; exact holds if it is not negative.
	least, exact int64
}

func (c existsCondition) check(w *World) error { return checkRef(w, c.ref) }

func (c existsCondition) version(w *World) int64 { return w.version(c.ref) }

func checkRef(w *World, r ref) error {
	_, err := w.resource(r.Type)
	return err
}

func (c existsCondition) count(w *World) int64 {
	items, _, _ := w.items(c.ref) // check has found the type
	return int64(len(items))
}

func (c existsCondition) holds(w *World, _ moment) bool { return within(c.count(w), c.least, c.exact) }

func within(n, least, exact int64) bool {
	if exact >= 0 {
		return n == exact
	}
	return n >= least
}

// howMany says what within wants.
func howMany(least, exact int64, what string) string {
	if exact >= 0 {
		return fmt.Sprintf("%s: exactly %d", what, exact)
	}
	return fmt.Sprintf("%s: at least %d", what, least)
}

func (c existsCondition) explain(w *World, _ moment) detail {
	items, _, _ := w.items(c.ref) // as above
	d := detail{Expected: howMany(c.least, c.exact, c.ref.text), Actual: fmt.Sprintf("%d", len(items))}
	for _, it := range items {
		d.About = append(d.About, it.object.GetName())
	}
	if len(items) > 0 && len(items) <= namesMax {
		d.Actual += ": " + strings.Join(d.About, ", ")
	}
	return d
}

// namesMax is how many names an explanation lists.
const namesMax = 10

// text is part of a message or a line.
type text struct {
	contains string
	matches  *regexp.Regexp
}

func (t text) in(s string) bool {
	return strings.Contains(s, t.contains) && (t.matches == nil || t.matches.MatchString(s))
}

func (t text) String() string {
	var parts []string
	if t.contains != "" {
		parts = append(parts, fmt.Sprintf("containing %q", t.contains))
	}
	if t.matches != nil {
		parts = append(parts, fmt.Sprintf("matching %q", t.matches))
	}
	return strings.Join(parts, " and ")
}

// eventCondition counts Events.
type eventCondition struct {
	reason, kind string
	regarding    *ref
	message      text
	least, exact int64
	since        *time.Time
}

func (c eventCondition) check(w *World) error {
	if c.regarding == nil {
		return nil
	}
	return checkRef(w, *c.regarding)
}

func (c eventCondition) version(w *World) int64 {
	if c.regarding != nil && c.regarding.Selector != nil {
		return max(w.told[c.reason], w.version(*c.regarding))
	}
	return w.told[c.reason]
}

func (c eventCondition) count(w *World) (n int64) {
	for _, e := range w.events[c.reason] {
		if c.is(w, e) {
			n += int64(max(e.Count, 1))
		}
	}
	return n
}

func (c eventCondition) is(w *World, e *corev1.Event) bool {
	if c.kind != "" && e.Type != c.kind || !c.message.in(e.Message) {
		return false
	}
	if c.since != nil && lastOf(e).Before(*c.since) {
		return false
	}
	return c.regarding == nil || c.regards(w, e.InvolvedObject)
}

// lastOf is when an Event happened last.
func lastOf(e *corev1.Event) time.Time {
	switch {
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// regards reports whether an Event is about c's object, also if that is gone; of a
// selector's, only those that there are.
func (c eventCondition) regards(w *World, o corev1.ObjectReference) bool {
	r, err := w.resource(c.regarding.Type)
	if err != nil || r.Kind != o.Kind || r.Namespaced && o.Namespace != c.regarding.Namespace {
		return false
	}
	if c.regarding.Selector == nil {
		return c.regarding.Name == "" || o.Name == c.regarding.Name
	}
	items, _, _ := w.items(*c.regarding) // check has found the type
	return slices.ContainsFunc(items, func(it *item) bool { return it.object.GetName() == o.Name })
}

func (c eventCondition) holds(w *World, _ moment) bool { return within(c.count(w), c.least, c.exact) }

func (c eventCondition) explain(w *World, _ moment) detail {
	what := "Events " + c.reason
	if c.regarding != nil {
		what += " regarding " + c.regarding.text
	}
	if c.kind != "" {
		what += " of type " + c.kind
	}
	if s := c.message.String(); s != "" {
		what += " " + s
	}
	d := detail{Expected: howMany(c.least, c.exact, what), Actual: fmt.Sprintf("%d", c.count(w))}
	if c.regarding != nil && c.regarding.Name != "" {
		d.About = []string{c.regarding.Name}
	}
	return d
}

// logCondition counts lines that containers have printed.
type logCondition struct {
	pods         ref
	container    string
	line         text
	least, exact int64
	since        *time.Time
}

func (c logCondition) check(w *World) error {
	r, err := w.resource(c.pods.Type)
	if err == nil && r.Kind != "Pod" {
		err = fmt.Errorf("%s: only Pods have logs: want pod/NAME or \"pods -l SELECTOR\"", c.pods)
	}
	return err
}

func (c logCondition) version(w *World) int64 { return w.printed }

func (c logCondition) lines(w *World, any bool) (found []Line) {
	for _, l := range w.lines {
		if !c.pods.matches(true, l.Namespace, l.Pod, l.Labels) || c.container != "" && l.Container != c.container {
			continue
		}
		if c.since != nil && l.At.Before(*c.since) {
			continue
		}
		if any || c.line.in(l.Text) {
			found = append(found, l)
		}
	}
	return found
}

func (c logCondition) holds(w *World, _ moment) bool {
	return within(int64(len(c.lines(w, false))), c.least, c.exact)
}

// linesShown is how many lines of a log an explanation shows.
const linesShown = 5

func (c logCondition) explain(w *World, _ moment) detail {
	what := "lines in the log of " + c.pods.text
	if c.container != "" {
		what += ", container " + c.container
	}
	if s := c.line.String(); s != "" {
		what += ", " + s
	}
	all := c.lines(w, true)
	d := detail{Expected: howMany(c.least, c.exact, what), Actual: fmt.Sprintf("%d of %d lines", len(c.lines(w, false)), len(all))}
	if n := len(all); n > 0 {
		d.Actual += "; the last are"
		for _, l := range all[max(0, n-linesShown):] {
			d.Actual += fmt.Sprintf("\n%s | %s", l.Pod, l.Text)
		}
	}
	if c.pods.Name != "" {
		d.About = []string{c.pods.Name}
	}
	return d
}
