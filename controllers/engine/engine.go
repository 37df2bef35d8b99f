package engine

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Engine runs reconcilers in virtual time.
type Engine struct {
	cfg         Config
	clock       *clock
	random      *Random
	view        *View
	queue       *queue
	log         *eventLog
	reconcilers []Reconciler
	eventNames  *eventNames
	correlator  *correlator
	memories    *memories
	byName      map[string]Reconciler

	// These belong to the engine's goroutine alone.
	steps int
	// revision is the revision of the newest commit in the View.
	revision int64
	spare    []arrival

	// mu guards everything below. cond signals every change to it.
	mu   sync.Mutex
	cond *sync.Cond
	// now is the instant of the running step, and actor is its key.
	now   time.Time
	actor string
	// key is the key of the running step, for the engine's goroutine.
	key Key
	// idle says that mode auto does not advance the clock for what the step writes.
	// created says that the step has created something; see Replacer.
	idle, created bool
	inbox         []arrival
	// started says that Run was called.
	started bool
	// running says that the engine is on stage. outside says that one external write
	// is.
	running, outside bool
	// lent is the loan under way, if any; loan says that the engine's turn is on one. See
	// Lend.
	lent *loan
	loan bool
	// target is the instant that a command wants to reach, or zero.
	target time.Time
	// moving is the command that has set target.
	moving *Command
	// commands counts the commands that wait for the engine to pause between turns.
	commands int
	// held bounds mode auto. holds is the bound after the next input; see Hold. Zero
	// means no bound.
	held, holds time.Time
	// moves counts how often mode auto advanced the clock since the last input, which
	// was at the instant from.
	moves int
	from  time.Time
	// replacements has those since the last input; see Replacer.
	replacements replacements
	// err is why the engine stopped.
	err error
	// nextTimer and working are shown by Status.
	nextTimer time.Time
	working   bool
	// rests counts how often the engine came to rest.
	rests int64
}

// New returns an engine that stands still until Run.
func New(cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg:    cfg,
		clock:  newClock(cfg.Start, cfg.Mode, cfg.Speed),
		random: NewRandom(cfg.Seed, cfg.Stream),
		view:   newView(),
		queue:  newQueue(),
		log:    &eventLog{w: cfg.Log},
		actor:  actorClient,
		byName: map[string]Reconciler{},

		replacements: replacements{},
	}
	e.memories = newMemories()
	e.queue.touch = e.memories.touch
	e.clock.paused = cfg.Paused
	e.correlator = newCorrelator(e)
	e.Register(e.correlator)
	e.cond = sync.NewCond(&e.mu)
	e.now = e.clock.now()
	e.from = e.now
	return e, nil
}

// Now returns the present virtual instant. While a step runs, it is the step's instant,
// for everybody. It may be called from any goroutine.
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return e.now
	}
	return e.clock.now()
}

// Step returns the key of the running step, as the event log prints it. It belongs to
// the engine's goroutine.
func (e *Engine) Step() string { return e.actor }

// StepKey is Step as a Key. It is empty outside of a step.
func (e *Engine) StepKey() Key { return e.key }

// Tell writes a line about the running step to the event log, for something that is not
// a commit. It belongs to the engine's goroutine.
func (e *Engine) Tell(what string) { e.log.told(e.now, e.actor, what) }

// Random returns the cluster's source of randomness.
func (e *Engine) Random() *Random { return e.random }

// View returns the engine's view of the cluster, for reconcilers.
func (e *Engine) View() *View { return e.view }

// Register adds reconcilers. They see a commit in the order in which they were
// registered. It must not be called after Run.
func (e *Engine) Register(rs ...Reconciler) {
	for _, r := range rs {
		if _, twice := e.byName[r.Name()]; twice {
			panic(fmt.Sprintf("engine: two reconcilers are named %q", r.Name()))
		}
		e.byName[r.Name()] = r
		e.reconcilers = append(e.reconcilers, r)
	}
}

// Run runs until ctx ends or an invariant breaks.
func (e *Engine) Run(ctx context.Context) (err error) {
	e.mu.Lock()
	e.started = true
	e.mu.Unlock()
	ctx = context.WithValue(ctx, steps{}, e)
	stop := context.AfterFunc(ctx, e.broadcast)
	defer stop()
	// Whoever waits for the engine must learn that it has ended.
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running, e.err = false, err
		e.tellMoving() // it would have gone on
		e.cond.Broadcast()
	}()
	for {
		if err := e.awaitTurn(ctx); err != nil {
			return err
		}
		err := e.turn(ctx)
		e.mu.Lock()
		e.running = false
		if err == nil && !e.outside && !e.busy() {
			e.rests++
		}
		e.cond.Broadcast()
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (e *Engine) broadcast() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cond.Broadcast()
}

// awaitTurn waits until the stage is free and there is something to do. Then it enters
// the stage.
func (e *Engine) awaitTurn(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		// A waiting command comes first, if possible.
		if e.lent != nil || !e.outside && e.busy() && (e.commands == 0 || !e.free()) {
			e.running, e.loan = true, e.lent != nil
			e.now = e.clock.now()
			return nil
		}
		cancel := func() {}
		if at, ok := e.queue.nextOfAny(); ok {
			cancel = e.clock.wake(at, e.broadcast)
		}
		e.cond.Wait()
		cancel()
	}
}

// busy reports whether the engine has something to do now.
func (e *Engine) busy() bool {
	return e.due() || !e.target.IsZero() || e.jumps()
}

// due reports whether there is something to do at the present instant.
func (e *Engine) due() bool {
	if len(e.inbox) > 0 {
		return true
	}
	at, ok := e.queue.nextOfAny()
	return ok && !at.After(e.clock.now())
}

// jumps reports whether mode auto has a reason to advance the clock.
func (e *Engine) jumps() bool {
	mode, _, paused := e.clock.settings()
	if mode != Auto || paused || e.moves >= e.cfg.MovesMax {
		return false
	}
	work, ok := e.queue.nextWork()
	if !ok || e.cfg.AutoMax > 0 && work.Sub(e.from) > e.cfg.AutoMax {
		return false
	}
	next, ok := e.queue.next()
	return e.held.IsZero() || ok && !next.After(e.held)
}

// turn runs steps until the cluster has settled and the clock need not advance.
func (e *Engine) turn(ctx context.Context) error {
	e.steps = 0
	for {
		if err := e.settle(ctx); err != nil {
			return err
		}
		if !e.move() {
			return nil
		}
	}
}

// settle runs what is due at the present instant until nothing is.
func (e *Engine) settle(ctx context.Context) error {
	for {
		if err := e.drain(); err != nil {
			return err
		}
		if e.returned() {
			e.noteNext()
			return nil
		}
		e.flow()
		took := e.clock.measure()
		it, ok := e.next(took != nil)
		if !ok {
			e.noteNext()
			e.mark()
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.steps++; e.steps > e.cfg.StepsMax {
			return fmt.Errorf("engine: more than %d steps at %s, last %q: two controllers undo each other; run again with --seed %d to see it",
				e.cfg.StepsMax, stampLine(e.now), it.key, e.cfg.Seed)
		}
		if err := e.step(ctx, it); err != nil {
			return err
		}
		if took != nil {
			e.queue.shares.charge(it.key, it.tag, took())
		}
	}
}

// next takes an item that is due. While time flows, it takes it by fair shares.
func (e *Engine) next(flows bool) (*item, bool) {
	if flows || len(e.queue.ready.itemHeap) > 0 { // time may have been stopped in between
		return e.queue.popFair(e.now)
	}
	return e.queue.pop(e.now)
}

// flow keeps the steps' instant in line with a clock that flows.
func (e *Engine) flow() {
	now := e.clock.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	// Not while a command waits: at a high speed, the steps might never catch up.
	if now.After(e.now) && e.commands == 0 {
		e.now, e.steps = now, 0
	}
}

func (e *Engine) noteNext() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nextTimer, _ = e.queue.next()
	e.working = e.queue.working()
}

// move advances the clock to the next timer, if its mode or a command wants that, and
// reports whether it did.
func (e *Engine) move() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.inbox) > 0 {
		return true
	}
	next, some := e.queue.next()
	if e.loan {
		return e.moveOnLoan(next, some)
	}
	if !e.target.IsZero() {
		to := e.target
		if some && next.Before(to) {
			to = next
		}
		if !to.Before(e.target) {
			e.stopMoving()
			e.from = to
		}
		e.moveTo(to)
		return true
	}
	if e.jumps() && e.commands == 0 {
		e.moves++
		e.moveTo(next)
		return true
	}
	return false
}

func (e *Engine) moveTo(t time.Time) {
	if t.After(e.now) {
		e.clock.moveTo(t)
		e.now, e.steps = t, 0
	}
}
