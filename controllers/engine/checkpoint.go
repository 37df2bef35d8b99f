package engine

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Rememberer is a Reconciler that remembers more than the API's objects say. With its
// notes, a cluster that is stopped, or rewound, continues as if it had not been.
type Rememberer interface {
	Reconciler
	// Remember returns what is remembered about key, or nil for nothing. It is called
	// at settled instants, for the keys that had a step, or were named to Engine.Touch,
	// since the last call. After an error the key has no note, and Config.Warn is told.
	Remember(key Key) ([]byte, error)
	// Recall restores what Remember gave at the instant now. The View is complete. Keys
	// come in the order in which they were first remembered. After an error the note is
	// ignored, Config.Warn is told, and the key has a step.
	Recall(ctx context.Context, key Key, note []byte, now time.Time) error
}

// checkpoint is the engine's state at a settled instant, or the changes to it since the
// previous one. Its encoding is CBOR (RFC 8949).
type checkpoint struct {
	_ struct{} `cbor:",toarray"`
	// Full says that Entries has all entries.
	Full bool
	// Now is the instant, in Unix ns.
	Now int64
	// Build and Seed are Config's. Reconcilers are the names of those that run. If the
	// checkpoint is not Full, Build and Reconcilers are left out: they are the same as
	// before.
	Build       string
	Seed        uint64
	Reconcilers []string
	// Random is the state of the random source.
	Random []byte
	// EventsAt and EventsSeq are the state of the Events' names, Seq is that of the
	// queue, and Order is that of the notes.
	EventsAt, EventsSeq, Seq, Order int64
	Entries                         []checkpointEntry
}

// checkpointEntry is one key with its next step and its note. An entry without either
// says that the key no longer has any.
type checkpointEntry struct {
	_ struct{} `cbor:",toarray"`
	// Controller, KeyKind, Namespace and Name are the key's.
	Controller, KeyKind, Namespace, Name string

	At              int64 // Unix ns; 0: no step is due
	Kind            kind
	Seq             int64
	Failures, Wakes int
	Idle            bool
	Note            []byte
	Order           int64 // of the note

	// foreign says that a build whose keys had no Kinds wrote the entry. It is not
	// read.
	foreign bool
}

func (c *checkpointEntry) key() Key { return Key{c.Controller, c.KeyKind, c.Namespace, c.Name} }

// memories tracks what the next checkpoint must contain.
type memories struct {
	touched []Key
	known   map[Key]bool // touched, as a set
	// noted holds the keys with a note, and the order of their notes.
	noted map[Key]int64
	order int64
	// fullBytes is the size of the last full checkpoint, and bytes is the total size of
	// those since.
	fullBytes, bytes int
	// at is the instant of the last checkpoint, and revision is its last commit. A
	// commit that touches no key counts too: it has drawn a name and a UID.
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

// fullSlack is how much longer than a full checkpoint the checkpoints since then may be
// in total, before the next one is full. So reading them costs at most about three
// times as much as reading one, and writing a full one costs little per change. Unit:
// bytes.
const fullSlack = 64 << 10

// Touch says that a reconciler's memory of key has changed, although key had no step.
// It belongs to the engine's goroutine.
func (e *Engine) Touch(key Key) { e.memories.touch(key) }

// mark passes the engine's state, or what has changed of it, to Config.Mark. The
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

// guess estimates how long c will be when it is encoded. Unit: bytes.
func guess(c *checkpoint) int {
	const header, numbers = 512, 32
	n := header
	for i := range c.Entries {
		e := &c.Entries[i]
		n += numbers + len(e.Controller) + len(e.KeyKind) + len(e.Namespace) + len(e.Name) + len(e.Note)
	}
	return n
}

// header returns a checkpoint without entries.
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

// allKeys returns the keys that have a step or a note, and those that were touched, in
// a fixed order.
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

func (e *Engine) entry(key Key) checkpointEntry {
	m := e.memories
	c := checkpointEntry{Controller: key.Controller, KeyKind: key.Kind, Namespace: key.Namespace, Name: key.Name}
	if it, ok := e.queue.items[key]; ok && it.position >= 0 {
		c.At, c.Kind, c.Seq = it.wake.At.UnixNano(), it.wake.kind, it.seq
		c.Failures, c.Wakes, c.Idle = it.failures, it.wakes, it.idle
	}
	if r, ok := e.byName[key.Controller].(Rememberer); ok {
		c.Note = e.remember(r, key)
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

// remember asks r for its note of key. A note that cannot be written is reported and
// left out: a note is worth less than a running cluster.
func (e *Engine) remember(r Rememberer, key Key) []byte {
	note, err := r.Remember(key)
	if err != nil {
		e.warn("what is to be remembered about %s is left out: %v", key, err)
		return nil
	}
	return note
}

// warn tells Config.Warn what had to be ignored.
func (e *Engine) warn(format string, args ...any) {
	if e.cfg.Warn != nil {
		e.cfg.Warn(fmt.Sprintf(format, args...))
	}
}
