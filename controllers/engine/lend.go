package engine

import (
	"context"
	"errors"
	"time"
)

// loan is one call of Lend.
type loan struct{ answered func() bool }

// ErrNoAnswer is returned by Lend if nothing is left that could lead to an answer.
var ErrNoAnswer = errors.New("engine: nothing is left that could answer")

// Lend lets the simulation go on in the middle of an external write, until answered is
// true. It is for a write that waits for something simulated, such as an admission
// webhook in a Pod. The caller is on stage: between Enter and leave.
//
// Steps run, and the clock advances from timer to timer, in every mode in which time does
// not flow and also while the clock is paused: the write could not end otherwise. The
// engine stops after the step in which answered has become true, although more may be
// due; that comes after the write. Nobody else enters the stage in the meantime, and no
// command of the clock is carried out. answered is called on the engine's goroutine, and
// must not call the engine.
func (e *Engine) Lend(ctx context.Context, answered func() bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.outside {
		return errors.New("engine: Lend: the caller is not on stage")
	}
	if err := e.awaitLocked(ctx, func() bool { return e.lent == nil && !e.running }); err != nil {
		return err
	}
	l := &loan{answered}
	e.lent = l
	e.cond.Broadcast()
	err := e.awaitLocked(ctx, func() bool { return e.lent != l && !e.running })
	if e.lent == l {
		e.lent = nil // the engine gives the stage back after its step
	}
	for e.running && e.err == nil {
		e.cond.Wait()
	}
	if err == nil && !answered() {
		err = ErrNoAnswer
	}
	return err
}

// returned ends a turn that is on loan if there is an answer, or if nobody waits for one
// any more.
func (e *Engine) returned() bool {
	if !e.loan {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lent != nil && !e.lent.answered() {
		return false
	}
	e.lent = nil
	return true
}

// moveOnLoan advances the clock to the next timer while the stage is lent.
func (e *Engine) moveOnLoan(next time.Time, some bool) bool {
	if e.lent == nil {
		return false
	}
	if !some {
		e.lent = nil
		return false
	}
	e.moveTo(next)
	return true
}

// steps is the key of the engine in the contexts of its steps.
type steps struct{}

// InStep reports whether ctx is that of a step, so that the caller is on the engine's
// goroutine, or has it wait.
func (e *Engine) InStep(ctx context.Context) bool { return ctx.Value(steps{}) == e }

// Started reports whether Run was called, so that somebody takes up what is asked.
func (e *Engine) Started() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.started && e.err == nil
}
