package engine

import "time"

// Wake says when a key must be reconciled again although nothing changed, and what that
// is good for. The zero Wake is: not before something changes.
//
// What it is good for decides whether mode auto moves time for it. A reconciler says why
// it wants to be called, and does not decide that by itself. Ask in this order:
//
//  1. Does it matter to nobody when exactly it happens? Upkeep: a heartbeat, a resync.
//  2. Would it come round for ever in a cluster that is left alone? Routine: a cron
//     schedule, a liveness probe, a service's own loop.
//  3. Does it only tidy up or report what is over, or overdue? Cleanup: a TTL.
//  4. Does it look again for what only somebody else can change? Poll: room that a
//     client has to make, a node's volume.
//  5. Is it tried again, and may fail for ever? Attempt: the first tries are progress, the
//     others are routine.
//  6. Else something is under way that ends. Progress: a program that runs, a back-off, a
//     deadline, a grace period.
type Wake struct {
	// At is the instant; zero means not before something changes, and one after
	// TimeMax means never.
	At   time.Time
	kind kind
}

// kind is whether mode auto moves time for a wake. Of two, the lesser has more right to
// move it.
type kind int

const (
	// work is under way. Mode auto moves time on to it.
	work kind = iota
	// recurring steps run at their instant, but mode auto does not move time for them.
	recurring
	// chore is a recurring step whose exact instant matters to nobody: when time jumps
	// over several of them, one runs, at the instant where the jump ends.
	chore
)

// kinds is how many there are.
const kinds = int(chore) + 1

// Progress is the wake of what is under way and ends: mode auto moves time on to it.
func Progress(at time.Time) Wake { return Wake{at, work} }

// Attempt is the wake of the n-th try in a row, where nothing under way may make any of
// them succeed: Progress up to most, Routine from then on.
func Attempt(at time.Time, n, most int) Wake {
	if n > most {
		return Routine(at)
	}
	return Progress(at)
}

// Routine is the wake of what comes round for ever. It runs at its instant, but mode auto
// does not move time for it.
func Routine(at time.Time) Wake { return Wake{at, recurring} }

// Cleanup is the wake of what tidies up, or reports, what is over or overdue: as Routine.
func Cleanup(at time.Time) Wake { return Wake{at, recurring} }

// Poll is the wake of a look at what only somebody else can change: as Routine.
func Poll(at time.Time) Wake { return Wake{at, recurring} }

// Upkeep is the wake of what may be late, such as a heartbeat: when time jumps over
// several, one runs, at the instant where the jump ends.
func Upkeep(at time.Time) Wake { return Wake{at, chore} }

// Sooner returns the wake that comes first; a zero one never does. Of two at
// one instant the one with more right to move time wins.
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

// And is Sooner for two parts of one thing: if time moves for one of them, it also moves
// for the other that comes on the way.
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

// bounded holds a wake to virtual time. Instants are stored as Unix nanoseconds, of
// which 0 says that there is none.
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
