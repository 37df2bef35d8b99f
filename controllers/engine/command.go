package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Command is one of the clock's commands. The same commands at the same instants,
// between the same external writes, lead to the same event log.
type Command struct {
	// Action is what to do.
	Action Action
	// Duration belongs to Advance, the instant Until to Until, and Mode to SetMode.
	Duration time.Duration
	Until    time.Time
	Mode     Mode
	// At is the instant at which it was carried out.
	At time.Time
	// Early says that mode auto was advancing the clock, and would have continued
	// without the command.
	Early bool
}

// Action is the name of a command, as in 'kubesim clock'.
type Action string

// The commands of the clock.
const (
	Advance Action = "advance"
	Until   Action = "until"
	Next    Action = "next"
	Pause   Action = "pause"
	Resume  Action = "resume"
	SetMode Action = "mode"
)

// ErrBackwards is returned when a command asks for an instant that has passed.
var ErrBackwards = errors.New("virtual time cannot go back")

// Advance advances the clock by d, through every timer in between, and returns when the
// cluster is at rest. It refuses to advance past TimeMax.
func (e *Engine) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("advance %s: %w: want a positive duration, for example 10m", d, ErrBackwards)
	}
	return e.command(ctx, Command{Action: Advance, Duration: d}, func() error {
		now := e.clock.now()
		if left := TimeMax().Sub(now); d > left {
			return fmt.Errorf("advance %s: it is %s, and %w: want at most %s", d, now.Format(time.RFC3339), ErrOutOfTime, left)
		}
		e.aim(now.Add(d))
		return nil
	})
}

// Until advances the clock to t, at most TimeMax, as Advance does.
func (e *Engine) Until(ctx context.Context, t time.Time) error {
	return e.command(ctx, Command{Action: Until, Until: t}, func() error {
		if now := e.clock.now(); t.Before(now) {
			return fmt.Errorf("until %s: it is %s already: %w", t.UTC().Format(time.RFC3339), now.Format(time.RFC3339), ErrBackwards)
		}
		if err := CheckTime(t); err != nil {
			return fmt.Errorf("until: %w", err)
		}
		e.aim(t.UTC())
		return nil
	})
}

// Next advances the clock to the next timer that is not a chore, if there is one.
func (e *Engine) Next(ctx context.Context) error {
	return e.command(ctx, Command{Action: Next}, func() error {
		if at, ok := e.queue.next(); ok {
			e.aim(at)
		}
		return nil
	})
}

// Pause stops time; Resume lets it advance again.
func (e *Engine) Pause(ctx context.Context) error {
	return e.command(ctx, Command{Action: Pause}, func() error {
		e.clock.change(func(c *clock) { c.paused = true })
		return nil
	})
}

// Resume lets time advance again after Pause.
func (e *Engine) Resume(ctx context.Context) error {
	return e.command(ctx, Command{Action: Resume}, func() error {
		e.clock.change(func(c *clock) { c.paused = false })
		return nil
	})
}

// SetMode changes how time advances. A speed of 0 keeps the present one.
func (e *Engine) SetMode(ctx context.Context, mode Mode, speed float64) error {
	if _, err := ParseMode(string(mode)); err != nil {
		return err
	}
	if speed != 0 {
		if err := CheckSpeed(speed); err != nil {
			return err
		}
	}
	return e.command(ctx, Command{Action: SetMode, Mode: mode}, func() error {
		e.clock.change(func(c *clock) {
			c.mode = mode
			if speed != 0 {
				c.speed = speed
			}
		})
		return nil
	})
}

// Hold says how far mode auto may advance the clock after the next external input, a
// write or a command. Zero means no limit. It is for a replay: a command that was Early
// must come at the same instant.
func (e *Engine) Hold(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holds = until
}

// account begins a new count of how far mode auto advances the clock.
func (e *Engine) account() {
	clear(e.replacements)
	e.moves, e.from = 0, e.clock.now()
}

// input begins a new count for mode auto: somebody outside does something.
func (e *Engine) input() {
	e.account()
	e.held, e.holds = e.holds, time.Time{}
}

// command runs f between two turns of the engine and returns when the cluster
// is at rest.
func (e *Engine) command(ctx context.Context, c Command, f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands++
	err := e.awaitLocked(ctx, e.free)
	if err == nil {
		c.At, c.Early = e.clock.now(), e.jumps()
		err = f()
	}
	if err == nil {
		e.input()
		e.moving = &c
		if e.target.IsZero() {
			e.tellMoving()
		}
	}
	e.commands--
	e.cond.Broadcast()
	if err != nil {
		return err
	}
	err = e.awaitLocked(ctx, e.arrived)
	if err != nil && e.moving == &c {
		// The client has disconnected. Time stops where it is, as if that had been the
		// target.
		c.Action, c.Until = Until, e.clock.now()
		e.stopMoving()
		e.cond.Broadcast()
	}
	return err
}

// free reports whether a command could be carried out. The present instant is settled
// then, so it does not matter how far the engine had come when the command arrived. The
// exception is a clock that flows: it may be so fast that the cluster never settles.
func (e *Engine) free() bool {
	if e.running || e.outside || !e.target.IsZero() {
		return false
	}
	mode, _, paused := e.clock.settings()
	return mode == Realtime && !paused || !e.due()
}

// aim sets the target and holds a flowing clock until it is reached.
func (e *Engine) aim(t time.Time) {
	e.clock.change(func(c *clock) { c.held = true })
	e.target = t
}

// stopMoving ends the command that advances the clock.
func (e *Engine) stopMoving() {
	e.target = time.Time{}
	e.clock.change(func(c *clock) { c.held = false })
	e.tellMoving()
}

// tellMoving reports the command that has had its effect, if there is one.
func (e *Engine) tellMoving() {
	if e.moving != nil && e.cfg.Commanded != nil {
		e.cfg.Commanded(*e.moving)
	}
	e.moving = nil
}
