package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/apis/example"
	"k8s.io/apiserver/pkg/storage"
	"pgregory.net/rapid"
)

// model is what the store should hold: the state at each revision, and what
// each revision did.
type model struct {
	states []map[string]string // by revision; key to "label@revision"
	events []string            // by revision; "" of one without a record
	gaps   map[int64]bool      // revisions that are no places to read at
	marks  []string            // by revision: what the newest mark says
}

func (m *model) last() map[string]string { return m.states[len(m.states)-1] }

// apply records the next revision.
func (m *model) apply(event, key, value string) {
	s := maps.Clone(m.last())
	if value == "" {
		delete(s, key)
	} else {
		s[key] = value
	}
	m.states = append(m.states, s)
	m.events = append(m.events, event)
	m.marks = append(m.marks, m.marks[len(m.marks)-1])
}

// turnBack puts the history of old up to revision rev, and after it a gap up to
// one revision more than m and old have, in m's place.
func (m *model) turnBack(old model, rev int64) {
	last := max(len(m.states), len(old.states))
	n := model{gaps: map[int64]bool{}}
	for i := range last + 1 {
		kept := min(int64(i), rev)
		n.states, n.marks = append(n.states, old.states[kept]), append(n.marks, old.marks[kept])
		if int64(i) <= rev {
			n.events, n.gaps[int64(i)] = append(n.events, old.events[i]), old.gaps[int64(i)]
		} else {
			n.events, n.gaps[int64(i)] = append(n.events, ""), i < last
		}
	}
	*m = n
}

// machine runs the store beside the model.
type machine struct {
	t     *testing.T
	path  string
	clock *clock
	db    *DB
	s     *Store
	model model
	floor int64 // compacted

	// A snapshot, what was in it, and its floor.
	snapshot      string
	snapshotModel model
	snapshotFloor int64
}

func (m *machine) open() {
	m.db = openDB(m.t, setup{path: m.path, now: m.clock.now, ephemeral: true, cacheBytes: 2000})
	m.s = podStore(m.t, m.db, testCodec(m.t), nil)
}

func (m *machine) rev() int64 { return int64(len(m.model.states) - 1) }

// write makes one random change.
func (m *machine) write(rt *rapid.T) {
	ctx := m.t.Context()
	if rapid.Bool().Draw(rt, "without wait") {
		ctx = WithoutWait(ctx)
	}
	key := "/pods/ns/" + rapid.SampledFrom([]string{"a", "aa", "b", "b-b", "c"}).Draw(rt, "key")
	next := m.rev() + 1
	value := fmt.Sprintf("%d@%d", next, next)
	_, exists := m.model.last()[key]
	var err error
	switch {
	case !exists:
		p := pod(key)
		p.Labels = map[string]string{"v": strconv.FormatInt(next, 10)}
		err = m.s.Create(ctx, key, p, nil, 0)
		m.model.apply(fmt.Sprintf("ADDED %s %s", key, value), key, value)
	case rapid.IntRange(0, 2).Draw(rt, "delete") == 0:
		err = m.s.Delete(ctx, key, &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
		old := m.model.last()[key]
		for i := range old { // the event has the last state at its own revision
			if old[i] == '@' {
				old = old[:i]
				break
			}
		}
		m.model.apply(fmt.Sprintf("DELETED %s %s@%d", key, old, next), key, "")
	default:
		err = m.s.GuaranteedUpdate(ctx, key, &example.Pod{}, false, nil, label(strconv.FormatInt(next, 10)), nil)
		m.model.apply(fmt.Sprintf("MODIFIED %s %s", key, value), key, value)
	}
	if err != nil {
		rt.Fatal(err)
	}
	m.clock.advance(time.Second)
}

func describe(p *example.Pod) string { return p.Labels["v"] + "@" + p.ResourceVersion }

// list returns the state at a revision, in pages of at most limit.
func (m *machine) list(rev, limit int64) (map[string]string, error) {
	opts := storage.ListOptions{Recursive: true, Predicate: storage.Everything}
	opts.ResourceVersion = strconv.FormatInt(rev, 10)
	opts.ResourceVersionMatch = metav1.ResourceVersionMatchExact
	opts.Predicate.Limit = limit
	got := map[string]string{}
	for {
		list := &example.PodList{}
		if err := m.s.GetList(m.t.Context(), "/pods/", opts, list); err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			got["/pods/ns/"+p.Name] = describe(&p)
		}
		if list.Continue == "" {
			return got, nil
		}
		opts.Predicate.Continue = list.Continue
		opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	}
}

// watchFrom returns the events after rev, as many as there should be.
func (m *machine) watchFrom(rev int64) ([]string, error) {
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	w, err := m.s.Watch(ctx, "/pods/", storage.ListOptions{
		ResourceVersion: strconv.FormatInt(rev, 10), Recursive: true, Predicate: storage.Everything,
	})
	if err != nil {
		return nil, err
	}
	var got []string
	for len(got) < len(m.eventsAfter(rev)) {
		ev := <-w.ResultChan()
		if ev.Type == watch.Error {
			return got, apierrors.FromObject(ev.Object)
		}
		p := ev.Object.(*example.Pod)
		got = append(got, fmt.Sprintf("%s /pods/ns/%s %s", ev.Type, p.Name, describe(p)))
	}
	return got, nil
}

// eventsAfter is what a watch from rev on is to see.
func (m *machine) eventsAfter(rev int64) []string {
	var events []string
	for _, e := range m.model.events[rev+1:] {
		if e != "" {
			events = append(events, e)
		}
	}
	return events
}

// read compares one revision's list and what follows it with the model.
func (m *machine) read(rt *rapid.T) {
	if err := m.db.Sync(m.t.Context()); err != nil {
		rt.Fatal(err)
	}
	rev := rapid.Int64Range(1, m.rev()).Draw(rt, "revision")
	list, err := m.list(rev, rapid.Int64Range(0, 3).Draw(rt, "limit"))
	gone := rev < m.floor || m.model.gaps[rev]
	if gone {
		if !apierrors.IsResourceExpired(err) {
			rt.Fatalf("list at %d, which is gone: %v", rev, err)
		}
	} else if diff := cmp.Diff(m.model.states[rev], list); err != nil || diff != "" {
		rt.Fatalf("list at %d: %v (-want +got):\n%s", rev, err, diff)
	}
	if len(m.eventsAfter(rev)) == 0 {
		return
	}
	events, err := m.watchFrom(rev)
	if gone {
		if !apierrors.IsResourceExpired(err) {
			rt.Fatalf("watch from %d, which is gone: %v", rev, err)
		}
	} else if diff := cmp.Diff(m.eventsAfter(rev), events); err != nil || diff != "" {
		rt.Fatalf("watch from %d: %v (-want +got):\n%s", rev, err, diff)
	}
}

func (m *machine) compact(rt *rapid.T) {
	if err := m.db.Sync(m.t.Context()); err != nil {
		rt.Fatal(err)
	}
	rev := rapid.Int64Range(1, m.rev()).Draw(rt, "compact to")
	if err := m.db.Compact(m.t.Context(), rev); err != nil {
		rt.Fatal(err)
	}
	m.floor = max(m.floor, rev)
}

// mark keeps a state of the engine with the newest revision.
func (m *machine) mark(rt *rapid.T) {
	last := len(m.model.marks) - 1
	text := strconv.Itoa(int(m.rev())) + ";"
	full := m.model.marks[last] == "" || rapid.Bool().Draw(rt, "full")
	m.db.Mark(m.rev(), []byte(text), full)
	if !full {
		text = m.model.marks[last] + text
	}
	m.model.marks[last] = text
}

// readMarks compares the marks of one revision with the model.
func (m *machine) readMarks(rt *rapid.T) {
	if _, err := m.db.Save(m.t.Context(), io.Discard); err != nil { // which writes the marks
		rt.Fatal(err)
	}
	rev := rapid.Int64Range(max(m.floor, 1), m.rev()).Draw(rt, "marks of")
	marks, _, err := m.db.Marks(rev)
	if got := string(bytes.Join(marks, nil)); err != nil || got != m.model.marks[rev] {
		rt.Fatalf("marks of %d: %v, %q, want %q", rev, err, got, m.model.marks[rev])
	}
}

// rewind goes back to a revision; those that are gone are refused.
func (m *machine) rewind(rt *rapid.T) {
	rev := rapid.Int64Range(1, m.rev()).Draw(rt, "rewind to")
	err := m.db.Rewind(m.t.Context(), rev, time.Time{}, nil)
	if rev < m.floor || m.model.gaps[rev] {
		if !errors.Is(err, ErrNotKept) {
			rt.Fatalf("rewind to %d, which is gone: %v", rev, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	m.model.turnBack(m.model, rev)
}

func (m *machine) save(rt *rapid.T) {
	f, err := os.CreateTemp(m.t.TempDir(), "")
	if err != nil {
		rt.Fatal(err)
	}
	rev, err := m.db.Save(m.t.Context(), f)
	if err = errors.Join(err, f.Close()); err != nil || rev != m.rev() {
		rt.Fatalf("snapshot of revision %d, want %d: %v", rev, m.rev(), err)
	}
	m.snapshot, m.snapshotFloor = f.Name(), m.floor
	m.snapshotModel = model{
		states: slices.Clone(m.model.states), events: slices.Clone(m.model.events),
		marks: slices.Clone(m.model.marks), gaps: maps.Clone(m.model.gaps),
	}
}

func (m *machine) restore(rt *rapid.T) {
	if m.snapshot == "" {
		return
	}
	if err := m.db.Restore(m.t.Context(), m.snapshot); err != nil {
		rt.Fatal(err)
	}
	m.model.turnBack(m.snapshotModel, int64(len(m.snapshotModel.states)-1))
	m.floor = m.snapshotFloor
}

func (m *machine) reopen(*rapid.T) {
	closeDB(m.t, m.db)
	m.open()
}

// TestHistoryIsThatOfTheModel makes random changes, compactions, restarts,
// rewinds and restores, and reads lists at any kept revision, in pages, watches
// from any, and the marks of any.
func TestHistoryIsThatOfTheModel(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &machine{t: t, path: filepath.Join(t.TempDir(), strconv.Itoa(n)), clock: newClock()}
		// A fresh file is at revision 1.
		m.model = model{states: []map[string]string{{}, {}}, events: []string{"", ""}, marks: []string{"", ""}, gaps: map[int64]bool{}}
		m.open()
		rt.Repeat(map[string]func(*rapid.T){
			"write": m.write, "write again": m.write, "and again": m.write,
			"read": m.read, "compact": m.compact, "reopen": m.reopen,
			"mark": m.mark, "read marks": m.readMarks,
			"rewind": m.rewind, "save": m.save, "restore": m.restore,
			"": func(rt *rapid.T) {
				if m.db.Revision() != m.rev() {
					rt.Fatalf("revision %d, want %d", m.db.Revision(), m.rev())
				}
			},
		})
		if err := errors.Join(m.db.Sync(t.Context()), m.db.Check(t.Context())); err != nil {
			rt.Fatal(err)
		}
		m.replay(rt)
		closeDB(t, m.db)
	})
}

// replay checks that Replay tells the current state in revision order.
func (m *machine) replay(rt *rapid.T) {
	got := map[string]string{}
	var revs []int64
	err := m.db.Replay(m.rev(), func(c Commit) error {
		got[c.Key] = describe(c.Object.(*example.Pod))
		revs = append(revs, c.Revision)
		return nil
	})
	if diff := cmp.Diff(m.model.last(), got); err != nil || diff != "" || !slices.IsSorted(revs) {
		rt.Fatalf("replay: %v, revisions %v (-want +got):\n%s", err, revs, diff)
	}
}

func TestRevisionAtFindsTheNewestNotAfter(t *testing.T) {
	c := newClock()
	start := c.now()
	f := newFixture(t, setup{now: c.now})
	create(t.Context(), t, f.Store, "/pods/ns/a") // revision 2 at 0 s, 3 at 10 s, … 11 at 90 s
	for i := range 9 {
		c.advance(10 * time.Second)
		update(t.Context(), t, f.Store, "/pods/ns/a", strconv.Itoa(i))
	}
	check := func(at time.Duration, want int64) {
		t.Helper()
		if got := f.db.RevisionAt(start.Add(at)); got != want {
			t.Errorf("at %v: revision %d, want %d", at, got, want)
		}
	}
	check(-1, 0)
	check(0, 2)
	check(15*time.Second, 3)
	check(50*time.Second, 7)
	check(time.Hour, 11)
	if err := f.db.Compact(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	check(15*time.Second, 0)
	check(50*time.Second, 7)
	check(time.Hour, 11)
}

// TestTheFileDoesNotGrowWithoutBound updates the same keys over and over, with
// compaction: its pages are used again.
func TestTheFileDoesNotGrowWithoutBound(t *testing.T) {
	f := newFixture(t, setup{ephemeral: true})
	ctx := WithoutWait(t.Context())
	for i := range 10 {
		create(ctx, t, f.Store, fmt.Sprintf("/pods/ns/p%d", i))
	}
	var early int64
	for round := range 30 {
		for i := range 500 {
			update(ctx, t, f.Store, fmt.Sprintf("/pods/ns/p%d", i%10), fmt.Sprint(round, i))
		}
		if err := errors.Join(f.db.Sync(ctx), f.db.Compact(ctx, f.db.Revision())); err != nil {
			t.Fatal(err)
		}
		if used := usedBytes(t, f.db); round == 5 {
			early = used
		} else if round > 5 && used > 2*early {
			t.Fatalf("after %d updates the file uses %d bytes, after 3000 it was %d", 500*(round+1), used, early)
		}
	}
}

// usedBytes is the part of the file that bbolt has ever used.
func usedBytes(t *testing.T, db *DB) int64 {
	tx, err := db.bolt.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	return tx.Size()
}
