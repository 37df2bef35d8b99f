package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// marksOf is what a small cluster leaves behind.
func marksOf(t *testing.T) [][]byte {
	t.Helper()
	c := begin(t, Config{Build: "v1"}, nil, "pod", "job")
	c.deliverAll(t)
	c.advance(t, 90*time.Second)
	return c.marks
}

// goOnFrom restores marks that may be anything, and lets some time pass: nothing may
// panic, and the engine must come to rest. It returns what was told.
func goOnFrom(t *testing.T, marks [][]byte) (told []string) {
	t.Helper()
	checkpoint, err := ReadCheckpoint(marks)
	if err != nil {
		return []string{err.Error()}
	}
	var steps []string
	e, err := New(Config{Mode: Manual, Speed: 1, Start: noon(), Build: "v1", Warn: func(text string) { told = append(told, text) }})
	if err != nil {
		t.Fatal(err)
	}
	e.View().Track(Pods)
	for _, name := range []string{"pod", "job"} {
		e.Register(counting{scripted{name: name, steps: &steps}, map[Key]string{}})
	}
	err = e.Restore(t.Context(), checkpoint, false, func(f func(Commit)) error {
		for i, name := range []string{"a", "b", "c"} {
			f(added(int64(i+1), name))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Restore() = %v of %x", err, marks)
	}
	if err := CheckTime(e.Now()); err != nil {
		t.Fatalf("it goes on at %v of %x", err, marks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	if err := e.Until(t.Context(), Within(e.Now().Add(5*time.Minute))); err != nil {
		t.Fatalf("%v of %x", err, marks)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Run() = %v of %x", err, marks)
	}
	return told
}

// spoil changes some bytes of data, as a disk or another program might.
func spoil(data []byte, random *rand.Rand) []byte {
	data = append([]byte(nil), data...)
	for range 1 + random.IntN(4) {
		switch i := random.IntN(len(data)); random.IntN(4) {
		case 0:
			data[i] = byte(random.Uint32())
		case 1:
			data[i] ^= 1 << random.IntN(8)
		case 2:
			data = append(data[:i:i], data[min(len(data)-1, i+1+random.IntN(8)):]...)
		default:
			data = append(data[:i:i], append([]byte{0x3b, 0xff, 0xff, 0xff, 0xff, byte(random.Uint32())}, data[i:]...)...)
		}
	}
	return data
}

// TestAnySpoiledCheckpointStarts: whatever stands in a checkpoint, the engine runs.
func TestAnySpoiledCheckpointStarts(t *testing.T) {
	marks := marksOf(t)
	random := rand.New(rand.NewPCG(1, 2))
	unread := 0
	const tries = 3000
	for range tries {
		spoiled := append([][]byte(nil), marks...)
		i := random.IntN(len(spoiled))
		spoiled[i] = spoil(spoiled[i], random)
		if len(goOnFrom(t, spoiled)) > 0 {
			unread++
		}
	}
	if unread == 0 || unread == tries {
		t.Errorf("%d of %d could not be read: this test tests nothing", unread, tries)
	}
}

// FuzzCheckpoint is the same for the fuzzer: go test -fuzz FuzzCheckpoint ./controllers/engine.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte("broken: "))
	f.Add((&checkpoint{Full: true, Build: "v1", Now: math.MinInt64, Reconcilers: []string{"pod"}, Entries: []checkpointEntry{
		{Controller: "pod", Name: "a", At: -1, Kind: 7, Failures: math.MinInt64, Wakes: math.MaxInt64, Note: []byte("x")},
	}}).append(nil))
	f.Fuzz(func(t *testing.T, data []byte) { goOnFrom(t, [][]byte{data}) })
}

// TestAbsurdCheckpoints: numbers that no engine counts to, and times outside of time.
func TestAbsurdCheckpoints(t *testing.T) {
	for _, n := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		for _, kind := range []kind{-1, work, chore, 3, math.MaxInt} {
			entry := checkpointEntry{
				Controller: "pod", Namespace: "default", Name: "a", At: n, Kind: kind, Seq: n, Failures: int(n), Wakes: int(n),
				Note: []byte("|"), Order: n,
			}
			goOnFrom(t, [][]byte{(&checkpoint{
				Full: true, Build: "v1", Now: n, Seq: n, Order: n, EventsAt: n, EventsSeq: n, Random: []byte("none"),
				Reconcilers: []string{"pod", "job"}, Entries: []checkpointEntry{entry},
			}).append(nil)})
		}
	}
}

func TestTheNextStartLeavesABrokenRunAside(t *testing.T) {
	marks := append(marksOf(t), BrokenMark(fmt.Errorf("%w: step \"pod/a\": index out of range\nstack", ErrBroken)))
	told := goOnFrom(t, marks)
	if len(told) != 1 || !strings.Contains(told[0], `step "pod/a": index out of range`) || strings.Contains(told[0], "stack") {
		t.Errorf("told %q", told)
	}
}

// grumpy cannot write one note, and panics over another.
type grumpy struct{ scripted }

func (grumpy) Remember(key Key) ([]byte, error) {
	if key.Name == "a" {
		return nil, errors.New("year outside of range")
	}
	return []byte("|"), nil
}

func (grumpy) Recall(_ context.Context, key Key, _ []byte, _ time.Time) error {
	if key.Name == "b" {
		panic("a note that nobody understands")
	}
	return nil
}

// TestNotesThatCannotBeWrittenOrReadAreTold: the engine runs on without them.
func TestNotesThatCannotBeWrittenOrReadAreTold(t *testing.T) {
	var told, steps []string
	var marks [][]byte
	cfg := Config{Mode: Manual, Build: "v1", Warn: func(text string) { told = append(told, text) },
		Mark: func(_ int64, state []byte, _ bool) { marks = append(marks, state) }}
	e := start(t, cfg, grumpy{scripted{name: "pod", steps: &steps}})
	for i, name := range []string{"a", "b", "c"} {
		e.Deliver(added(int64(i+1), name))
	}
	settle(t, e)
	checkpoint, err := ReadCheckpoint(marks)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Start, cfg.Speed, cfg.Mark = noon(), 1, nil
	after, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	after.Register(grumpy{scripted{name: "pod", steps: &steps}})
	if err := after.Restore(t.Context(), checkpoint, false, func(func(Commit)) error { return nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"what is to be remembered about pod/default/a is left out: year outside of range",
		"what was remembered about pod/default/b is left aside: a note that nobody understands",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told %q, want %q", told, want)
	}
	if next, ok := after.queue.next(); !ok || !next.Equal(noon()) {
		t.Error("the key whose note was left aside has no step")
	}
}
