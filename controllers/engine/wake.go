package engine

import "time"

// Wake says when a key must be reconciled again even if nothing changes, and why. The
// zero Wake means: not before something changes.
//
// The reason decides whether mode auto advances the clock for the wake. A reconciler
// gives the reason; it does not decide by itself. Ask in this order:
//
//  1. May the step be late without any harm? Upkeep: a heartbeat, a resync.
//  2. Would it recur forever in a cluster that is left alone? Routine: a cron
//     schedule, a liveness probe, a service's own loop.
//  3. Does it only clean up or report what is over, or overdue? Cleanup: a TTL.
//  4. Does it look again for what only somebody else can change? Poll: room that a
//     client has to make, a node's volume.
//  5. Is it retried, and may it fail forever? Attempt: the first tries are progress,
//     and the others are routine.
//  6. Otherwise something is under way that ends. Progress: a running program, a
//     back-off, a deadline, a grace period.
type Wake struct {
	// At is the instant. Zero means not before something changes. An instant after
	// TimeMax means never.
	At   time.Time
	kind kind
}

// kind says whether mode auto advances the clock for a wake. Of two kinds, the lower
// one has the stronger claim.
type kind int

const (
	// work is under way. Mode auto advances the clock for it.
	work kind = iota
	// recurring steps run at their instant, but mode auto does not advance the clock
	// for them.
	recurring
	// chore is a recurring step whose exact instant does not matter. If the clock jumps
	// over several of them, one runs, at the instant where the jump ends.
	chore
)

// kinds is the number of kinds.
const kinds = int(chore) + 1

// Progress is the wake for what is under way and ends: mode auto advances the clock for
// it.
func Progress(at time.Time) Wake { return Wake{at, work} }

// Attempt is the wake for the n-th try in a row, if nothing under way may make any of
// them succeed. It is Progress for the first most tries, and Routine from then on.
func Attempt(at time.Time, n, most int) Wake {
	if n > most {
		return Routine(at)
	}
	return Progress(at)
}

// Routine is the wake for what recurs forever. It runs at its instant, but mode auto
// does not advance the clock for it.
func Routine(at time.Time) Wake { return Wake{at, recurring} }

// Cleanup is the wake for cleaning up, or reporting, what is over or overdue. It counts
// as Routine.
func Cleanup(at time.Time) Wake { return Wake{at, recurring} }

// Poll is the wake for a look at what only somebody else can change. It counts as
// Routine.
func Poll(at time.Time) Wake { return Wake{at, recurring} }

// Upkeep is the wake for what may be late, such as a heartbeat. If the clock jumps over
// several of them, one runs, at the instant where the jump ends.
func Upkeep(at time.Time) Wake { return Wake{at, chore} }

// Sooner returns the wake that comes first; a zero wake never comes. If both are at the
// same instant, it returns the one with the stronger claim to advance the clock.
func (w Wake) Sooner(other Wake) Wake {
	switch {
	case w.At.IsZero():
		return other
	case other.At.IsZero() || w.At.Before(other.At):
		return w
	case w.At.Equal(other.At) && w.kind <= other.kind:
		return w
	}
	return other
}

// And is Sooner for two parts of one thing. If the clock advances for one of them, it
// also advances for the other if that comes on the way.
func (w Wake) And(other Wake) Wake {
	both := w.Sooner(other)
	if !w.At.IsZero() && !other.At.IsZero() {
		both.kind = min(w.kind, other.kind)
	}
	return both
}

// Equal reports whether the wakes are the same.
func (w Wake) Equal(other Wake) bool { return w.At.Equal(other.At) && w.kind == other.kind }

// String is for tests and errors.
func (w Wake) String() string {
	if w.At.IsZero() {
		return "never"
	}
	return [kinds]string{"work", "recurring", "chore"}[w.kind] + " at " + w.At.Format(time.RFC3339Nano)
}

// bounded keeps a wake within virtual time. Instants are stored as Unix nanoseconds, of
// which 0 means none.
func (w Wake) bounded() Wake {
	switch {
	case w.At.IsZero():
	case w.At.After(TimeMax()):
		return Wake{}
	case !w.At.After(TimeMin()):
		w.At = TimeMin().Add(1)
	}
	return w
}
