package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// step reconciles one key.
func (e *Engine) step(ctx context.Context, it *item) (err error) {
	r, ok := e.byName[it.key.Controller]
	if !ok {
		return fmt.Errorf("engine: step %q: no such reconciler", it.key)
	}
	e.enterStep(it, r)
	defer e.leaveStep(it)
	defer func() {
		switch p := recover().(type) {
		case nil:
		case delay:
			e.queue.schedule(it.key, e.demote(it, Progress(p.until)))
		default:
			err = e.broken(fmt.Sprintf("step %q", it.key), p)
		}
	}()
	wake, rerr := r.Reconcile(ctx, it.key, e.now)
	if rerr == nil {
		it.failures = 0
		e.queue.schedule(it.key, e.demote(it, wake))
		return nil
	}
	it.failures++
	if !apierrors.IsConflict(rerr) {
		e.log.failed(e.now, it.key, rerr)
	}
	wait := backoff(it.failures)
	if own, ok := r.(Retrier); ok {
		wait = cmp.Or(own.Retry(it.failures, rerr), wait)
	}
	retry := Attempt(e.now.Add(wait), it.failures, workRetriesMax)
	e.queue.schedule(it.key, e.demote(it, wake.Sooner(retry)))
	return nil
}

// delay is the value of the panic that leaves a step whose request to the API is
// delayed.
type delay struct{ until time.Time }

// Delay ends the running step, because a request that it makes takes until an instant.
// The step starts again then. That is not a failure, and no reconciler sees it. It
// belongs to the engine's goroutine. Outside a step, where nothing could start again,
// it does nothing.
func (e *Engine) Delay(until time.Time) {
	if e.actor != actorClient {
		panic(delay{until})
	}
}

// ErrBroken is the error of a run that a panic has ended.
var ErrBroken = errors.New("engine")

// broken returns the error with which a panic ends the run.
func (e *Engine) broken(where string, p any) error {
	return fmt.Errorf("%w: %s at %s, seed %d: %v\n%s", ErrBroken, where, stampLine(e.now), e.cfg.Seed, p, debug.Stack())
}

// demote turns work that has used up its wakes into a recurring step.
func (e *Engine) demote(it *item, wake Wake) Wake {
	if wake.At.After(e.now) && wake.kind == work {
		if it.wakes++; it.idle || it.wakes > e.cfg.WakesMax {
			wake.kind = recurring
		}
	}
	return wake
}

// workRetriesMax is how many retries of a failing key mode auto advances the clock for.
// They add up to 5 seconds or, with the back-off of a Retrier, to minutes.
const workRetriesMax = 10

// backoff returns how long a key that failed n times in a row waits: 5 ms, doubled each
// time, at most 1000 s. Source: DefaultTypedControllerRateLimiter in k8s.io/client-go
// util/workqueue v0.37.2.
func backoff(n int) time.Duration {
	const start, limit = 5 * time.Millisecond, 1000 * time.Second
	if n > 18 {
		return limit
	}
	return min(start<<(n-1), limit)
}

func (e *Engine) enterStep(it *item, r Reconciler) {
	_, periodic := r.(Periodic)
	replacer, _ := r.(Replacer)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.actor, e.key, e.created = it.key.String(), it.key, false
	e.idle = it.idle || periodic && e.moves > 0 || replacer != nil && e.replacements.many(it.key, replacer.Asks(it.key))
}

func (e *Engine) leaveStep(it *item) {
	replacer, _ := e.byName[it.key.Controller].(Replacer)
	e.mu.Lock()
	defer e.mu.Unlock()
	if replacer != nil && e.created {
		e.replacements.add(it.key, replacer.Asks(it.key), e.now)
	}
	e.actor, e.key, e.idle = actorClient, Key{}, false
}
