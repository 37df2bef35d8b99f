package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Checkpoint is a state from which an engine can continue; see Restore.
type Checkpoint struct {
	last    checkpoint
	entries map[Key]checkpointEntry
	// foreign says that some entries could not be read, because another build wrote
	// them.
	foreign bool
}

// ReadCheckpoint combines what Config.Mark was given: a full checkpoint and those that
// followed it.
func ReadCheckpoint(marks [][]byte) (*Checkpoint, error) {
	if len(marks) == 0 {
		return nil, errors.New("engine: no checkpoint")
	}
	c := &Checkpoint{entries: map[Key]checkpointEntry{}}
	for i, data := range marks {
		if why, broken := strings.CutPrefix(string(data), brokenMark); broken {
			return nil, fmt.Errorf("the last run has ended over it: %s", why)
		}
		before := c.last
		c.last = checkpoint{}
		if err := decode(data, &c.last); err != nil {
			return nil, fmt.Errorf("engine: checkpoint %d of %d: %w", i+1, len(marks), err)
		}
		if !c.last.Full {
			c.last.Build, c.last.Reconcilers = before.Build, before.Reconcilers
		}
		if c.last.Full {
			clear(c.entries)
			c.foreign = false
		}
		for _, entry := range c.last.Entries {
			switch {
			case entry.foreign:
				c.foreign = true
			case entry.At == 0 && entry.Note == nil:
				delete(c.entries, entry.key())
			default:
				c.entries[entry.key()] = entry
			}
		}
	}
	return c, nil
}

// brokenMark begins a mark that is not the CBOR of a checkpoint.
const brokenMark = "broken: "

// BrokenMark returns the full mark of a run that has ended with ErrBroken. Whoever
// reads it must ignore everything before it.
func BrokenMark(err error) []byte {
	why, _, _ := strings.Cut(err.Error(), "\n") // the rest is a stack
	return []byte(brokenMark + why)
}

// Now returns the instant of the checkpoint.
func (c *Checkpoint) Now() time.Time { return instant(c.last.Now) }

// instant returns the instant that a checkpoint means. An instant outside of virtual
// time was written by a build that did not enforce the bounds.
func instant(unixNano int64) time.Time { return Within(time.Unix(0, unixNano).UTC()) }

// decode reads CBOR that may contain anything. A large cluster has more entries than
// the library's own bound, 131,072. The memory that they take is already in the data.
func decode(data []byte, into any) error {
	mode, err := cbor.DecOptions{MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32}.DecMode()
	if err != nil {
		return err
	}
	return mode.Unmarshal(data, into)
}

// MarkedAt returns the instant of one mark.
func MarkedAt(mark []byte) (time.Time, error) {
	var c checkpoint
	if err := decode(mark, &c); err != nil {
		return time.Time{}, fmt.Errorf("engine: checkpoint: %w", err)
	}
	return instant(c.Now), nil
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

// Restore makes the engine continue from a checkpoint: its queue, its randomness, and
// what its reconcilers remember. state must call its argument with every object of that
// time, as Added, in revision order. Commits that came after the checkpoint are
// delivered next, as usual. If there were any, the caller must say so with later,
// because their names and UIDs must not be drawn again.
//
// A reconciler that did not run then reconciles all its objects again. If another build
// of kubesim wrote the checkpoint, every reconciler does. A Rememberer also reconciles
// objects that the checkpoint does not mention: it did not know them then, as the
// kubelet of a node that did not exist did not know the node's Pods. Call Restore
// before Run and after all Registers.
func (e *Engine) Restore(ctx context.Context, c *Checkpoint, later bool, state func(func(Commit)) error) error {
	sameBuild := c.last.Build == e.cfg.Build && !c.foreign
	known := func(controller string) bool {
		return sameBuild && slices.Contains(c.last.Reconcilers, controller) && e.byName[controller] != nil
	}
	e.clock.moveTo(c.Now())
	e.now = e.clock.now()
	e.from = e.now
	if !later && c.last.Seed == e.cfg.Seed {
		if err := e.random.setState(c.last.Random); err != nil {
			e.warn("the state of the random source cannot be read, and is left aside: %v", err)
		}
	}
	// Items that are queued from here on come after those that were queued then.
	e.queue.seq = count(c.last.Seq)
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

// see adds one object of an earlier run to the View, and returns its keys.
func (e *Engine) see(c Commit) []Key {
	e.revision = max(e.revision, c.Revision)
	if !e.view.Tracks(c.Resource) {
		return nil
	}
	e.view.apply(c)
	var keys []Key
	for _, r := range e.reconcilers {
		keys = append(keys, r.Observe(c)...)
	}
	return keys
}

func (e *Engine) recallQueue(c *Checkpoint, known func(string) bool) {
	for _, entry := range c.entries {
		if entry.At == 0 || !known(entry.Controller) {
			continue
		}
		if it := entry.item(); !it.wake.At.IsZero() {
			e.queue.put(it)
		}
	}
	if e.eventNames != nil && (c.last.EventsAt != 0 || c.last.EventsSeq != 0) {
		e.eventNames.at, e.eventNames.seq = instant(c.last.EventsAt), count(c.last.EventsSeq)
	}
}

// item returns the key's next step. The entry may contain anything.
func (c *checkpointEntry) item() *item {
	kind := c.Kind
	if kind < work || int(kind) >= kinds {
		kind = recurring
	}
	return &item{
		key: c.key(), wake: Wake{At: time.Unix(0, c.At).UTC(), kind: kind}.bounded(),
		seq: count(c.Seq), position: -1, failures: int(min(count(int64(c.Failures)), math.MaxInt32)), wakes: int(count(int64(c.Wakes))), idle: c.Idle,
	}
}

// count limits a number that was counted: it is not negative, and far from the end of
// 64 bits.
func count(n int64) int64 { return min(max(n, 0), 1<<62) }

func (e *Engine) recallNotes(ctx context.Context, c *Checkpoint, known func(string) bool) {
	e.memories.order = count(c.last.Order)
	var aside leftAside
	defer func() { aside.tell(e.warn) }()
	for _, entry := range c.sorted() {
		if entry.Note == nil || !known(entry.Controller) {
			continue
		}
		r, ok := e.byName[entry.Controller].(Rememberer)
		if !ok {
			continue
		}
		if err := e.recall(ctx, r, &entry, c.Now()); err != nil {
			aside.add(entry.key(), err)
			e.log.failed(e.now, entry.key(), err) // it reconciles the key again
			e.queue.hasten(entry.key(), e.now, false)
			continue
		}
		e.memories.noted[entry.key()] = entry.Order
	}
	// The first steps that New requested are already under way.
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

// leftAside has the notes that could not be read, by controller: a newer build may not
// know any of an older one's.
type leftAside struct {
	controllers []string
	first       map[string]string
	more        map[string]int
}

func (l *leftAside) add(key Key, err error) {
	if stale := (*StaleError)(nil); errors.As(err, &stale) {
		return
	}
	if l.first == nil {
		l.first, l.more = map[string]string{}, map[string]int{}
	}
	if l.first[key.Controller] != "" {
		l.more[key.Controller]++
		return
	}
	l.controllers = append(l.controllers, key.Controller)
	l.first[key.Controller] = fmt.Sprintf("what was remembered about %s is left aside: %v", printable(key), err)
}

// tell reports them in a line for each controller.
func (l *leftAside) tell(warn func(string, ...any)) {
	for _, name := range l.controllers {
		if n := l.more[name]; n > 0 {
			warn("%s; and so for %d more of %s", l.first[name], n, name)
		} else {
			warn("%s", l.first[name])
		}
	}
}

// printable returns a key without control characters: some have zeroes in them.
func printable(key Key) string {
	text := strconv.Quote(key.String())
	return text[1 : len(text)-1]
}

// StaleError says that a note can be read but is of no use here, for the Reason that it
// gives. Its key has a step, and nobody need be told.
type StaleError struct{ Reason string }

// Error implements error.
func (e *StaleError) Error() string { return e.Reason }

// recall gives r its note of key back. The content of a file may be anything.
func (e *Engine) recall(ctx context.Context, r Rememberer, entry *checkpointEntry, now time.Time) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return r.Recall(ctx, entry.key(), entry.Note, now)
}
