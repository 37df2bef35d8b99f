package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// counting is a reconciler that remembers how often each key had a step, and
// wants the next one a minute later.
type counting struct {
	scripted
	counts map[Key]string
}

func (c counting) Reconcile(ctx context.Context, key Key, now time.Time) (Wake, error) {
	if _, err := c.scripted.Reconcile(ctx, key, now); err != nil {
		return Wake{}, err
	}
	c.counts[key] += "|"
	return Wake{At: now.Add(time.Minute)}, nil
}

func (c counting) Remember(key Key) ([]byte, error) {
	if n, ok := c.counts[key]; ok {
		return []byte(n), nil
	}
	return nil, nil
}

func (c counting) Recall(_ context.Context, key Key, note []byte, _ time.Time) error {
	if len(note) == 0 {
		return errors.New("no note")
	}
	c.counts[key] = string(note)
	return nil
}

// checkpointed is an engine whose marks are kept.
type checkpointed struct {
	*Engine
	steps  []string
	counts map[Key]string
	marks  [][]byte
}

// begin runs an engine in mode manual; from is what it goes on from, nil for
// nothing.
func begin(t *testing.T, cfg Config, from *checkpointed, names ...string) *checkpointed {
	t.Helper()
	c := &checkpointed{counts: map[Key]string{}}
	cfg.Mode, cfg.Start, cfg.Speed = Manual, noon(), 1
	cfg.Mark = func(_ int64, state []byte, full bool) {
		if full {
			c.marks = nil
		}
		c.marks = append(c.marks, state)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Engine = e
	e.View().Track(Pods)
	for _, name := range names {
		e.Register(counting{scripted{name: name, steps: &c.steps}, c.counts})
	}
	if from != nil {
		checkpoint, err := ReadCheckpoint(from.marks)
		if err != nil {
			t.Fatal(err)
		}
		err = e.Restore(t.Context(), checkpoint, false, func(f func(Commit)) error {
			for i, name := range []string{"a", "b", "c"} {
				f(added(int64(i+1), name))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want context.Canceled", err)
		}
	})
	return c
}

// deliverAll lets b's steps come before a's at each instant.
func (c *checkpointed) deliverAll(t *testing.T) {
	t.Helper()
	for i, name := range []string{"c", "b", "a"} {
		c.Deliver(added(int64(i+1), name))
	}
	settle(t, c.Engine)
}

func (c *checkpointed) advance(t *testing.T, d time.Duration) {
	t.Helper()
	if err := c.Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// TestRestoreGoesOn: steps come at the instants and in the order, and random
// numbers are those, that they would have been without the restart.
func TestRestoreGoesOn(t *testing.T) {
	whole := begin(t, Config{Build: "v1"}, nil, "pod")
	whole.deliverAll(t)
	whole.advance(t, 90*time.Second)
	before := len(whole.steps)

	again := begin(t, Config{Build: "v1"}, whole, "pod")
	if now := again.Now(); !now.Equal(noon().Add(90 * time.Second)) {
		t.Errorf("it goes on at %v", now)
	}
	if diff := cmp.Diff(whole.counts, again.counts); diff != "" {
		t.Errorf("remembered (-before +after):\n%s", diff)
	}
	for _, c := range []*checkpointed{whole, again} {
		c.advance(t, 200*time.Second)
	}
	if diff := cmp.Diff(whole.steps[before:], again.steps); diff != "" || len(again.steps) == 0 {
		t.Errorf("steps (-without +with a restart):\n%s", diff)
	}
	if diff := cmp.Diff(whole.counts, again.counts); diff != "" {
		t.Errorf("remembered in the end (-without +with a restart):\n%s", diff)
	}
	if a, b := whole.Random().UID(), again.Random().UID(); a != b {
		t.Errorf("next UIDs %s and %s", a, b)
	}

	// The second engine's own marks are whole, although it wrote only what changed.
	third := begin(t, Config{Build: "v1"}, again, "pod")
	if diff := cmp.Diff(again.counts, third.counts); diff != "" {
		t.Errorf("remembered after two restarts (-before +after):\n%s", diff)
	}
}

// TestACommitThatTouchesNoKeyIsMarked: its name and UID were drawn, and must not be
// drawn again after a restart.
func TestACommitThatTouchesNoKeyIsMarked(t *testing.T) {
	e := begin(t, Config{}, nil, "pod")
	e.deliverAll(t)
	before := len(e.marks)
	e.Random().UID()
	e.Deliver(Commit{Revision: 4, Type: watch.Added, Resource: ConfigMaps, Object: &corev1.ConfigMap{}})
	settle(t, e.Engine)
	if len(e.marks) != before+1 {
		t.Fatalf("%d marks after the commit, want %d", len(e.marks), before+1)
	}
	again := begin(t, Config{}, e, "pod")
	if a, b := e.Random().UID(), again.Random().UID(); a != b {
		t.Errorf("the next UIDs are %s, and %s after a restart", a, b)
	}
}

// TestRestoreWithCaution: what another build or seed wrote, or a reconciler that
// did not run then, is not taken at its word.
func TestRestoreWithCaution(t *testing.T) {
	whole := begin(t, Config{Build: "v1", Seed: 1}, nil, "pod")
	whole.deliverAll(t)
	atOnce := func(names ...string) (steps []string) {
		for _, pod := range []string{"a", "b", "c"} { // as Restore's caller tells of them
			for _, name := range names {
				steps = append(steps, fmt.Sprintf("0s %s/default/%s", name, pod))
			}
		}
		return steps
	}

	t.Run("another build", func(t *testing.T) {
		c := begin(t, Config{Build: "v2", Seed: 1}, whole, "pod")
		settle(t, c.Engine)
		if diff := cmp.Diff(atOnce("pod"), c.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
	t.Run("another seed", func(t *testing.T) {
		c := begin(t, Config{Build: "v1", Seed: 2}, whole, "pod")
		settle(t, c.Engine)
		if len(c.steps) > 0 || c.Random().UID() == whole.Random().UID() {
			t.Errorf("steps %v, or the numbers of the old seed", c.steps)
		}
	})
	t.Run("another reconciler", func(t *testing.T) {
		c := begin(t, Config{Build: "v1", Seed: 1}, whole, "pod", "new")
		settle(t, c.Engine)
		if diff := cmp.Diff(atOnce("new"), c.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
	t.Run("an object that it does not mention", func(t *testing.T) {
		part := begin(t, Config{Build: "v1"}, nil, "pod")
		part.Deliver(added(1, "a"))
		part.Deliver(added(3, "c"))
		settle(t, part.Engine)
		c := begin(t, Config{Build: "v1"}, part, "pod")
		settle(t, c.Engine)
		if diff := cmp.Diff([]string{"0s pod/default/b"}, c.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
	t.Run("one reconciler less", func(t *testing.T) {
		c := begin(t, Config{Build: "v1", Seed: 1}, whole, "other")
		settle(t, c.Engine)
		if diff := cmp.Diff(atOnce("other"), c.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		c.advance(t, time.Hour) // through the timers of the one that is gone
	})
}

// TestACheckpointWithoutKinds: a build whose keys had no Kinds may have the same name.
// Virtual time goes on, and every key is looked at anew, without a word.
func TestACheckpointWithoutKinds(t *testing.T) {
	type entry struct {
		_                           struct{} `cbor:",toarray"`
		Controller, Namespace, Name string
		At                          int64
		Kind                        kind
		Seq                         int64
		Failures, Wakes             int
		Note                        []byte
		Order                       int64
	}
	type header struct {
		_                               struct{} `cbor:",toarray"`
		Full                            bool
		Now                             int64
		Build                           string
		Seed                            uint64
		Reconcilers                     []string
		Random                          []byte
		EventsAt, EventsSeq, Seq, Order int64
		Entries                         []entry
	}
	at := noon().Add(time.Hour)
	mark, err := cbor.Marshal(header{
		Full: true, Now: at.UnixNano(), Build: "v1", Seed: 1, Reconcilers: []string{"pod"}, Random: NewRandom(1, 1).state(), Seq: 5, Order: 1,
		Entries: []entry{
			{Controller: "pod", Namespace: "default", Name: "nodes/a", At: at.Add(time.Second).UnixNano(), Seq: 4, Wakes: 1 << 62},
			{Controller: "pod", Namespace: "default", Name: "a", Note: []byte("|||"), Order: 1},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	cfg := Config{Build: "v1", Seed: 1, Warn: func(text string) { told = append(told, text) }}
	c := begin(t, cfg, &checkpointed{marks: [][]byte{mark}}, "pod")
	settle(t, c.Engine)
	want := []string{"1h0m0s pod/default/a", "1h0m0s pod/default/b", "1h0m0s pod/default/c"}
	if diff := cmp.Diff(want, c.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if len(told) > 0 {
		t.Errorf("told %q", told)
	}
	if again := begin(t, cfg, c, "pod"); again.counts[Key{Controller: "pod", Namespace: "default", Name: "a"}] == "" {
		t.Error("what it remembers now is lost at the next restart")
	}
}

// TestMarksStaySmall: many settled instants cost some full checkpoints, not one
// each.
func TestMarksStaySmall(t *testing.T) {
	full, all := 0, 0
	var steps []string
	e, err := New(Config{Mode: Manual, Start: noon(), Speed: 1, Mark: func(_ int64, _ []byte, f bool) {
		if all++; f {
			full++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	e.View().Track(Pods)
	e.Register(counting{scripted{name: "pod", steps: &steps}, map[Key]string{}})
	for i := range 100 {
		e.Deliver(added(int64(i+1), fmt.Sprintf("p%d", i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	settle(t, e)
	for range 300 {
		if err := e.Advance(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want context.Canceled", err)
	}
	if all < 300 || full > all/20 {
		t.Errorf("%d full checkpoints of %d", full, all)
	}
}
