package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Rememberer is a Reconciler that remembers more than the API's objects say.
// With what it remembers, a cluster that is stopped, or rewound, goes on as if
// it had not been.
type Rememberer interface {
	Reconciler
	// Remember returns what is remembered about key, nil for nothing. It is asked
	// at settled instants, for the keys that had a step or were named to
	// Engine.Touch since it was asked last.
	Remember(key Key) []byte
	// Recall takes back what Remember gave at the instant now. The View is
	// complete; keys come in the order in which they were first remembered. After
	// an error the key has a step.
	Recall(ctx context.Context, key Key, note []byte, now time.Time) error
}

// checkpoint is the engine's state at a settled instant, or what has changed of
// it since the one before. Its encoding is CBOR (RFC 8949).
type checkpoint struct {
	_ struct{} `cbor:",toarray"`
	// Full: Entries are all there are.
	Full bool
	// Now is the instant, Unix ns.
	Now int64
	// Build and Seed are Config's; Reconcilers are the names of those that run. If
	// it is not Full, Build and Reconcilers are left out: they are those before.
	Build       string
	Seed        uint64
	Reconcilers []string
	// Random is the state of the random source.
	Random []byte
	// EventsAt and EventsSeq are the state of the Events' names, Seq that of the
	// queue, Order that of the notes.
	EventsAt, EventsSeq, Seq, Order int64
	Entries                         []checkpointEntry
}

// checkpointEntry is one key with its next step and its note. An entry without
// either says that the key has none any more.
type checkpointEntry struct {
	_                           struct{} `cbor:",toarray"`
	Controller, Namespace, Name string
	At                          int64 // Unix ns; 0: no step is due
	Kind                        Kind
	Seq                         int64
	Failures, Turns             int
	Note                        []byte
	Order                       int64 // of the note
}

func (c *checkpointEntry) key() Key { return Key{c.Controller, c.Namespace, c.Name} }

// memories keeps track of what the next checkpoint has to say.
type memories struct {
	touched []Key
	known   map[Key]bool // touched, as a set
	// noted holds the keys with a note, and its order.
	noted map[Key]int64
	order int64
	// fullBytes is the size of the last full checkpoint, bytes that of those since.
	fullBytes, bytes int
	// at is the instant of the last checkpoint, revision its last commit. One that
	// touches no key counts too: it has drawn a name and a UID.
	at       time.Time
	revision int64
}

func newMemories() *memories {
	return &memories{known: map[Key]bool{}, noted: map[Key]int64{}}
}

func (m *memories) touch(key Key) {
	if !m.known[key] {
		m.known[key] = true
		m.touched = append(m.touched, key)
	}
}

// fullSlack is how much longer than a full checkpoint those since then may be in
// all before the next is full: so reading them costs at most some three times as
// much as one, and writing a full one little per change. Unit: bytes.
const fullSlack = 64 << 10

// Touch says that what a reconciler remembers about key has changed, although
// key had no step. It belongs to the engine's goroutine.
func (e *Engine) Touch(key Key) { e.memories.touch(key) }

// mark hands the engine's state, or what has changed of it, to Config.Mark. The
// cluster is settled.
func (e *Engine) mark() {
	m := e.memories
	if e.cfg.Mark == nil || (len(m.touched) == 0 && e.now.Equal(m.at) && e.revision == m.revision) {
		return
	}
	m.at, m.revision = e.now, e.revision
	full := m.bytes >= m.fullBytes
	c := e.header(full)
	keys := m.touched
	if full {
		keys = e.allKeys()
	}
	c.Entries = make([]checkpointEntry, 0, len(keys))
	for _, key := range keys {
		entry := e.entry(key)
		if !full || entry.At != 0 || entry.Note != nil {
			c.Entries = append(c.Entries, entry)
		}
	}
	c.Order = m.order
	data := c.append(make([]byte, 0, guess(c)))
	if m.bytes += len(data); full {
		m.fullBytes, m.bytes = len(data)+fullSlack, 0
	}
	m.touched = m.touched[:0]
	clear(m.known)
	e.cfg.Mark(e.revision, data, full)
}

// guess is about how long c will be when it is encoded. Unit: bytes.
func guess(c *checkpoint) int {
	const header, numbers = 512, 32
	n := header
	for i := range c.Entries {
		e := &c.Entries[i]
		n += numbers + len(e.Controller) + len(e.Namespace) + len(e.Name) + len(e.Note)
	}
	return n
}

// header is a checkpoint without entries.
func (e *Engine) header(full bool) *checkpoint {
	c := &checkpoint{
		Full: full, Now: e.now.UnixNano(), Seed: e.cfg.Seed, Random: e.random.state(), Seq: e.queue.seq,
	}
	if full {
		c.Build = e.cfg.Build
		for _, r := range e.reconcilers {
			c.Reconcilers = append(c.Reconcilers, r.Name())
		}
	}
	if e.eventNames != nil && !e.eventNames.at.IsZero() {
		c.EventsAt, c.EventsSeq = e.eventNames.at.UnixNano(), e.eventNames.seq
	}
	return c
}

// allKeys returns those with a step or a note, and those touched, in a fixed
// order.
func (e *Engine) allKeys() []Key {
	keys := slices.Clone(e.memories.touched)
	for key := range e.queue.items {
		keys = append(keys, key)
	}
	for key := range e.memories.noted {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, Key.compare)
	return slices.Compact(keys)
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Controller, o.Controller), cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name))
}

func (e *Engine) entry(key Key) checkpointEntry {
	m := e.memories
	c := checkpointEntry{Controller: key.Controller, Namespace: key.Namespace, Name: key.Name}
	if it, ok := e.queue.items[key]; ok && it.position >= 0 {
		c.At, c.Kind, c.Seq = it.wake.At.UnixNano(), it.wake.Kind, it.seq
		c.Failures, c.Turns = it.failures, it.turns
	}
	r, ok := e.byName[key.Controller].(Rememberer)
	if ok {
		c.Note = r.Remember(key)
	}
	if c.Note == nil {
		delete(m.noted, key)
		return c
	}
	if m.noted[key] == 0 {
		m.order++
		m.noted[key] = m.order
	}
	c.Order = m.noted[key]
	return c
}

// Checkpoint is a state that an engine can go on from, see Restore.
type Checkpoint struct {
	last    checkpoint
	entries map[Key]checkpointEntry
}

// ReadCheckpoint puts together what Config.Mark was given: a full checkpoint and
// those that followed it.
func ReadCheckpoint(marks [][]byte) (*Checkpoint, error) {
	if len(marks) == 0 {
		return nil, errors.New("engine: no checkpoint")
	}
	c := &Checkpoint{entries: map[Key]checkpointEntry{}}
	for i, data := range marks {
		before := c.last
		c.last = checkpoint{}
		if err := cbor.Unmarshal(data, &c.last); err != nil {
			return nil, fmt.Errorf("engine: checkpoint %d of %d: %w", i+1, len(marks), err)
		}
		if !c.last.Full {
			c.last.Build, c.last.Reconcilers = before.Build, before.Reconcilers
		}
		if c.last.Full {
			clear(c.entries)
		}
		for _, entry := range c.last.Entries {
			if entry.At == 0 && entry.Note == nil {
				delete(c.entries, entry.key())
			} else {
				c.entries[entry.key()] = entry
			}
		}
	}
	return c, nil
}

// Now is the instant of the checkpoint.
func (c *Checkpoint) Now() time.Time { return time.Unix(0, c.last.Now).UTC() }

// MarkedAt is the instant of one mark.
func MarkedAt(mark []byte) (time.Time, error) {
	var c checkpoint
	if err := cbor.Unmarshal(mark, &c); err != nil {
		return time.Time{}, fmt.Errorf("engine: checkpoint: %w", err)
	}
	return time.Unix(0, c.Now).UTC(), nil
}

// sorted returns the entries in order of their notes, then of their steps.
func (c *Checkpoint) sorted() []checkpointEntry {
	entries := make([]checkpointEntry, 0, len(c.entries))
	for _, entry := range c.entries {
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b checkpointEntry) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Seq, b.Seq))
	})
	return entries
}

// Restore makes the engine go on from a checkpoint: its queue, its randomness
// and what its reconcilers remember. state must call its argument with every
// object of then, as Added, in revision order. Commits that came after the
// checkpoint are delivered as usual, next; if there were any, the caller must
// say so with later, because their names and UIDs must not be drawn again.
//
// A reconciler that did not run then, and every one if another build of kubesim
// wrote the checkpoint, looks at all its objects anew; a Rememberer also at those
// of which the checkpoint says nothing: it had no part in them then, as the
// kubelet in the Pods of a node that there was not. Call it before Run and after
// all Registers.
func (e *Engine) Restore(ctx context.Context, c *Checkpoint, later bool, state func(func(Commit)) error) error {
	sameBuild := c.last.Build == e.cfg.Build
	known := func(controller string) bool {
		return sameBuild && slices.Contains(c.last.Reconcilers, controller) && e.byName[controller] != nil
	}
	e.clock.moveTo(c.Now())
	e.now = e.clock.now()
	if !later && c.last.Seed == e.cfg.Seed {
		if err := e.random.setState(c.last.Random); err != nil {
			return err
		}
	}
	// What is queued from here on comes after what was queued then.
	e.queue.seq = c.last.Seq
	err := state(func(commit Commit) {
		for _, key := range e.see(commit) {
			_, remembers := e.byName[key.Controller].(Rememberer)
			_, mentioned := c.entries[key]
			if !known(key.Controller) || remembers && !mentioned {
				e.queue.hasten(key, e.now, false)
			}
		}
	})
	if err != nil {
		return err
	}
	e.recallQueue(c, known)
	e.recallNotes(ctx, c, known)
	e.noteNext()
	return nil
}

// see fills the View with one object of an earlier run, and returns
// its keys.
func (e *Engine) see(c Commit) []Key {
	e.revision = max(e.revision, c.Revision)
	if !e.view.Tracks(c.Resource) {
		return nil
	}
	e.view.apply(c)
	var keys []Key
	for _, r := range e.reconcilers {
		keys = append(keys, r.Keys(c)...)
	}
	return keys
}

func (e *Engine) recallQueue(c *Checkpoint, known func(string) bool) {
	for _, entry := range c.entries {
		if entry.At == 0 || !known(entry.Controller) {
			continue
		}
		e.queue.put(&item{
			key: entry.key(), wake: Wake{At: time.Unix(0, entry.At).UTC(), Kind: entry.Kind},
			seq: entry.Seq, position: -1, failures: entry.Failures, turns: entry.Turns,
		})
	}
	if e.eventNames != nil && c.last.EventsAt != 0 {
		e.eventNames.at, e.eventNames.seq = time.Unix(0, c.last.EventsAt).UTC(), c.last.EventsSeq
	}
}

func (e *Engine) recallNotes(ctx context.Context, c *Checkpoint, known func(string) bool) {
	e.memories.order = c.last.Order
	for _, entry := range c.sorted() {
		if entry.Note == nil || !known(entry.Controller) {
			continue
		}
		r, ok := e.byName[entry.Controller].(Rememberer)
		if !ok {
			continue
		}
		if err := r.Recall(ctx, entry.key(), entry.Note, c.Now()); err != nil {
			e.log.failed(e.now, entry.key(), err) // it looks at the key anew
			e.queue.hasten(entry.key(), e.now, false)
			continue
		}
		e.memories.noted[entry.key()] = entry.Order
	}
	// The first steps that New asked for are under way already.
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inbox = slices.DeleteFunc(e.inbox, func(a arrival) bool {
		if a.poke == nil {
			return false
		}
		entry := c.entries[*a.poke]
		return entry.At != 0 && known(a.poke.Controller)
	})
}
