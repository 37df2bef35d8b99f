package scenario

import (
	"time"
)

// State is how an expectation stands.
type State string

// How an expectation can stand.
const (
	Pending State = "pending"
	Held    State = "held"
	Failed  State = "failed"
	// Skipped: the run ended before it could be judged.
	Skipped State = "skipped"
)

// tracker follows one expectation through a run.
type tracker struct {
	*expectation
	// active: what counts has begun, at base.
	active bool
	base   time.Time
	state  State
	// seen is the condition's version when it was looked at last.
	seen int64
	// decided is when, at the latest settled instant.
	decided time.Time
	detail  detail
}

// begin says that what counts begins now.
func (t *tracker) begin(now time.Time) {
	t.active, t.base, t.seen = true, now, unseen
	*t.since = now
}

// deadline is the next instant at which virtual time must stop for the tracker; zero
// for none.
func (t *tracker) deadline() time.Time {
	switch {
	case !t.active || t.state != Pending:
		return time.Time{}
	case t.timed:
		return t.base.Add(t.at)
	case t.Within != "":
		return t.base.Add(t.within)
	}
	return time.Time{}
}

// open reports whether virtual time has to go on for the tracker: nothing else says
// when it is decided.
func (t *tracker) open() bool {
	return !t.deadline().IsZero()
}

// unseen is no version.
const unseen = -1

// look judges the condition at a settled instant and reports whether that has decided
// it.
func (t *tracker) look(w *World, m moment) bool {
	if !t.active || t.state != Pending {
		return false
	}
	version := t.condition.version(w)
	changed := version != t.seen
	t.seen = version
	deadline := t.deadline()
	due := !deadline.IsZero() && !m.now.Before(deadline)
	switch {
	case t.timed:
		return due && t.decide(w, m, t.condition.holds(w, m))
	case t.Never:
		if (changed || due) && t.condition.holds(w, m) {
			return t.decide(w, m, false)
		}
		return due && t.decide(w, m, true)
	case t.Within != "":
		if (changed || due) && t.condition.holds(w, m) {
			return t.decide(w, m, true)
		}
		return due && t.decide(w, m, false)
	}
	return false
}

// end judges what is left at the end of the run.
func (t *tracker) end(w *World, m moment) bool {
	switch {
	case t.state != Pending:
		return false
	case !t.active:
		t.detail = detail{Expected: t.title(), Actual: "the step " + t.After + " was never done"}
		t.state, t.decided = Failed, m.now
		return true
	case t.Never:
		return t.decide(w, m, !t.condition.holds(w, m))
	}
	return t.decide(w, m, t.condition.holds(w, m))
}

func (t *tracker) decide(w *World, m moment, held bool) bool {
	t.state, t.decided = Held, m.now
	if !held {
		t.state, t.detail = Failed, t.condition.explain(w, m)
		if t.Never {
			t.detail.Expected = "never: " + t.detail.Expected
		}
	}
	return true
}
