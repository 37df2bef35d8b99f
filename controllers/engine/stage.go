package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Enter waits until the cluster is at rest and lets one write from outside in;
// the caller must call leave, which returns when the cluster is at rest again.
// So a client that does one thing after another always sees the final state of
// what it did before. In mode Realtime both return at once.
//
// At rest means: nothing is due at the present instant and, in mode Auto, no
// work is under way that time could be moved for.
func (e *Engine) Enter(ctx context.Context) (leave func(context.Context) error, err error) {
	if mode, _, _ := e.clock.settings(); mode == Realtime {
		return func(context.Context) error { return nil }, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.awaitLocked(ctx, e.atRest); err != nil {
		return nil, err
	}
	e.outside = true
	e.moves = 0
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
	// The next writer may enter before this one wakes up: what counts is that
	// the engine has been at rest in between.
	after := e.rests
	return e.awaitLocked(ctx, func() bool { return e.rests > after || e.atRest() })
}

// Settle waits until the cluster is at rest, see Enter. In mode Realtime that
// is when nothing is due now.
func (e *Engine) Settle(ctx context.Context) error {
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

// ErrBackwards is returned when a command asks for an instant that has passed.
var ErrBackwards = errors.New("virtual time cannot go back")

// Advance moves time on by d, through every timer in between, and returns when
// the cluster is at rest.
func (e *Engine) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("advance %s: %w: want a positive duration, for example 10m", d, ErrBackwards)
	}
	return e.command(ctx, func() error {
		e.aim(e.clock.now().Add(d))
		return nil
	})
}

// Until moves time on to t, as Advance does.
func (e *Engine) Until(ctx context.Context, t time.Time) error {
	return e.command(ctx, func() error {
		if now := e.clock.now(); t.Before(now) {
			return fmt.Errorf("until %s: it is %s already: %w", t.UTC().Format(time.RFC3339), now.Format(time.RFC3339), ErrBackwards)
		}
		e.aim(t.UTC())
		return nil
	})
}

// Next moves time on to the next timer that is no chore, if there is one.
func (e *Engine) Next(ctx context.Context) error {
	return e.command(ctx, func() error {
		if at, ok := e.queue.next(); ok {
			e.aim(at)
		}
		return nil
	})
}

// aim sets the target and holds a flowing clock until it is reached.
func (e *Engine) aim(t time.Time) {
	e.clock.change(func(c *clock) { c.held = true })
	e.target = t
}

// Pause stops time; Resume lets it move again.
func (e *Engine) Pause(ctx context.Context) error {
	return e.command(ctx, func() error {
		e.clock.change(func(c *clock) { c.paused = true })
		return nil
	})
}

// Resume lets time move again after Pause.
func (e *Engine) Resume(ctx context.Context) error {
	return e.command(ctx, func() error {
		e.clock.change(func(c *clock) { c.paused = false })
		return nil
	})
}

// SetMode changes how time moves. A speed of 0 keeps the present one.
func (e *Engine) SetMode(ctx context.Context, mode Mode, speed float64) error {
	if _, err := ParseMode(string(mode)); err != nil {
		return err
	}
	if speed != 0 {
		if err := CheckSpeed(speed); err != nil {
			return err
		}
	}
	return e.command(ctx, func() error {
		e.clock.change(func(c *clock) {
			c.mode = mode
			if speed != 0 {
				c.speed = speed
			}
		})
		return nil
	})
}

// command runs f between two turns of the engine and returns when the cluster
// is at rest.
func (e *Engine) command(ctx context.Context, f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	free := func() bool { return !e.running && !e.outside && e.target.IsZero() }
	e.commands++
	err := e.awaitLocked(ctx, free)
	if err == nil {
		err = f()
	}
	e.commands--
	e.moves = 0
	e.cond.Broadcast()
	if err != nil {
		return err
	}
	err = e.awaitLocked(ctx, e.arrived)
	if err != nil && !e.target.IsZero() {
		// Who asked has gone: time stops where it is.
		e.target = time.Time{}
		e.clock.change(func(c *clock) { c.held = false })
		e.cond.Broadcast()
	}
	return err
}

// arrived reports whether a command has had its effect. A clock that flows may
// be so fast that the cluster is never at rest.
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
	// Settled: nothing is due at Now.
	Settled bool
	// Next is the next timer that is no chore; zero if there is none.
	Next time.Time
	// Working: work is under way that mode Auto moves time for.
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
