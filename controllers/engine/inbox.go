package engine

import "time"

// arrival is a commit with the circumstances in which it was made, a poke, or a change
// of what is served.
type arrival struct {
	Commit
	at    time.Time
	actor string
	// idle says that it follows from what a schedule started; see Periodic.
	idle bool
	// poke is the key that Poke named; then there is no Commit. asked is the argument
	// of Ask.
	poke  *Key
	asked string
	// served is a resource that is added or removed; then there is no Commit either.
	served *servedChange
}

// Deliver gives the engine one commit of the store. It must be called in revision
// order, from any goroutine. It only appends and never blocks.
//
// Commit.Old may be nil: the engine fills it from its View.
func (e *Engine) Deliver(c Commit) {
	now := e.clock.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	actor, idle := actorClient, false
	if e.running {
		now, actor, idle = e.now, e.actor, e.idle
		e.created = e.created || creates(c)
	}
	e.inbox = append(e.inbox, arrival{Commit: c, at: now, actor: actor, idle: idle})
	if !e.running { // else it looks by itself, and nobody waits for more to do
		e.cond.Broadcast()
	}
}

// Poke makes key due now, as a commit that touches it would. It is for a reconciler
// that gets a request in another way than through the API: its first step, an exec
// session. It may be called from any goroutine and never blocks.
func (e *Engine) Poke(key Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.running {
		e.account()
	}
	e.inbox = append(e.inbox, arrival{poke: &key, idle: e.running && e.idle})
	e.cond.Broadcast()
}

// Ask is Poke on behalf of an external client that asks key for something other than a
// write: its step in an exec session. The event log records what.
func (e *Engine) Ask(key Key, what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.running {
		e.account()
	}
	e.inbox = append(e.inbox, arrival{poke: &key, asked: what})
	e.cond.Broadcast()
}

// actorClient stands in the event log for everybody who is not a reconciler.
const actorClient = "client"

// drain applies the inbox to the View and marks the touched keys as due.
func (e *Engine) drain() (err error) {
	var taking string
	defer func() {
		if p := recover(); p != nil {
			err = e.broken("the commit of "+taking, p)
		}
	}()
	for {
		e.mu.Lock()
		batch := e.inbox
		e.inbox = e.spare[:0]
		e.mu.Unlock()
		if len(batch) == 0 {
			e.spare = batch
			return nil
		}
		for i := range batch {
			if o := batch[i].Object; o != nil {
				taking = string(batch[i].Resource) + "/" + o.GetNamespace() + "/" + o.GetName()
			}
			e.take(&batch[i])
			batch[i] = arrival{}
		}
		e.spare = batch
	}
}

func (e *Engine) take(a *arrival) {
	if a.poke != nil {
		if a.asked != "" {
			e.log.told(e.now, actorClient, a.asked)
		}
		e.queue.hasten(*a.poke, e.now, a.idle)
		return
	}
	if a.served != nil {
		if e.isNews(a.served) {
			e.log.served(a)
			e.takeServed(a.served, a.idle)
		}
		return
	}
	e.revision = max(e.revision, a.Revision)
	if !a.Replayed {
		e.log.commit(a)
	}
	if !e.view.Tracks(a.Resource) {
		return
	}
	if old, ok := e.view.table(a.Resource).objects.Get(a.Object); ok {
		a.Old = old
	}
	e.view.apply(a.Commit)
	for _, r := range e.reconcilers {
		keys := r.Observe(a.Commit)
		if len(keys) == 0 {
			continue
		}
		_, retrier := r.(Retrier)
		at := e.now
		if b, ok := r.(Batcher); ok {
			at = at.Add(b.Batch(a.Commit))
		}
		for _, key := range keys {
			if a.actor == actorClient {
				e.queue.refill(key)
			} else if retrier && e.queue.failing(key) && a.actor == key.String() {
				continue
			}
			e.queue.hasten(key, at, a.idle)
		}
	}
}
