package engine

import (
	"context"
	"time"
)

// Enter waits until the cluster is at rest and admits one external write. The caller
// must call leave, which returns when the cluster is at rest again. So a client that
// does one thing after another always sees the final state of what it did before. In
// mode Realtime, both return at once.
//
// At rest means that nothing is due at the present instant and, in mode Auto, that no
// work is under way for which the clock could advance.
func (e *Engine) Enter(ctx context.Context) (leave func(context.Context) error, err error) {
	if mode, _, _ := e.clock.settings(); mode == Realtime {
		return func(context.Context) error { return nil }, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.awaitLocked(ctx, e.atRest); err != nil {
		return nil, err
	}
	if e.err != nil {
		return nil, e.err // nobody would take up what is written
	}
	e.outside = true
	e.input()
	return e.leave, nil
}

func (e *Engine) leave(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outside = false
	e.cond.Broadcast()
	if !e.busy() {
		return nil
	}
	// The next writer may enter before this one wakes up. It only matters that the
	// engine has been at rest in between.
	after := e.rests
	return e.awaitLocked(ctx, func() bool { return e.rests > after || e.atRest() })
}

// AwaitRest waits until the cluster is at rest; see Enter. In mode Realtime, that is when
// nothing is due now.
func (e *Engine) AwaitRest(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.awaitLocked(ctx, e.atRest)
}

func (e *Engine) atRest() bool { return !e.running && !e.outside && !e.busy() }

// awaitLocked waits for ok, which is called with mu held.
func (e *Engine) awaitLocked(ctx context.Context, ok func() bool) error {
	stop := context.AfterFunc(ctx, e.broadcast)
	defer stop()
	for !ok() {
		if e.err != nil {
			return e.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e.cond.Wait()
	}
	return nil
}

// arrived reports whether a command has had its effect. A clock that flows may be so
// fast that the cluster is never at rest.
func (e *Engine) arrived() bool {
	if mode, _, paused := e.clock.settings(); mode == Realtime && !paused {
		return e.target.IsZero()
	}
	return e.atRest()
}

// Status is what the clock shows.
type Status struct {
	Mode   Mode
	Speed  float64
	Paused bool
	// Now is the present virtual instant.
	Now time.Time
	// Settled says that nothing is due at Now.
	Settled bool
	// Next is the next timer that is not a chore; zero if there is none.
	Next time.Time
	// Working says that work is under way for which mode Auto advances the clock.
	Working bool
}

// Status returns the present state of the clock. It does not wait.
func (e *Engine) Status() Status {
	mode, speed, paused := e.clock.settings()
	now := e.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	return Status{Mode: mode, Speed: speed, Paused: paused, Now: now, Settled: !e.running && len(e.inbox) == 0, Next: e.nextTimer, Working: e.working}
}
