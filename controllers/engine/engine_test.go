package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// scripted is a reconciler that writes down its steps and does what it is told.
type scripted struct {
	name  string
	steps *[]string
	do    func(key Key, now time.Time) (Wake, error)
	// only, if set, is how the names of its objects begin.
	only string
}

func (s scripted) Name() string { return s.name }

func (s scripted) Observe(c Commit) []Key {
	if !strings.HasPrefix(c.Object.GetName(), s.only) {
		return nil
	}
	return []Key{{Controller: s.name, Namespace: c.Object.GetNamespace(), Name: c.Object.GetName()}}
}

func (s scripted) Reconcile(_ context.Context, key Key, now time.Time) (Wake, error) {
	*s.steps = append(*s.steps, fmt.Sprintf("%s %s", now.Sub(noon()), key))
	if s.do == nil {
		return Wake{}, nil
	}
	return s.do(key, now)
}

// start runs an engine until the test ends.
func start(t *testing.T, cfg Config, reconcilers ...Reconciler) *Engine {
	t.Helper()
	cfg.Start, cfg.Speed = noon(), 1
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.View().Track(Pods)
	e.Register(reconcilers...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want context.Canceled", err)
		}
	})
	return e
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

func added(rev int64, name string) Commit {
	return Commit{Revision: rev, Type: watch.Added, Resource: Pods, Object: pod(name)}
}

func settle(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.AwaitRest(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A step whose request takes its time begins anew then: its failures are not counted,
// and nothing that comes after the request happens.
func TestAStepIsDelayed(t *testing.T) {
	var e *Engine
	var steps, log []string
	delayed := 0
	e = start(t, Config{Mode: Auto}, scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
		if delayed++; delayed < 3 {
			e.Delay(now.Add(time.Minute))
		}
		log = append(log, now.Sub(noon()).String())
		return Wake{}, nil
	}})
	e.Delay(noon().Add(time.Hour)) // outside a step: nothing
	e.Deliver(added(1, "a"))
	settle(t, e)
	want := []string{"0s pod/default/a", "1m0s pod/default/a", "2m0s pod/default/a"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2m0s"}, log); diff != "" {
		t.Errorf("ends of steps (-want +got):\n%s", diff)
	}
}

func TestSteps(t *testing.T) {
	sleeper := func(k kind, times int) func(Key, time.Time) (Wake, error) {
		turns := 0
		return func(_ Key, now time.Time) (Wake, error) {
			if turns++; turns > times {
				return Wake{}, nil
			}
			return Wake{At: now.Add(time.Minute), kind: k}, nil
		}
	}
	for name, tc := range map[string]struct {
		cfg  Config
		do   func(Key, time.Time) (Wake, error)
		run  func(*testing.T, *Engine)
		want []string
	}{
		"a commit makes its key due at the present instant": {
			cfg:  Config{Mode: Manual},
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a"},
		},
		"keys run in order of arrival": {
			cfg:  Config{Mode: Manual},
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "b")); settle(t, e); e.Deliver(added(2, "a")) },
			want: []string{"0s pod/default/b", "0s pod/default/a"},
		},
		"manual stands still without a command": {
			cfg:  Config{Mode: Manual},
			do:   sleeper(work, 3),
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a"},
		},
		"advance passes every timer on its way": {
			cfg: Config{Mode: Manual},
			do:  sleeper(work, 9),
			run: func(t *testing.T, e *Engine) {
				e.Deliver(added(1, "a"))
				settle(t, e)
				if err := e.Advance(t.Context(), 150*time.Second); err != nil {
					t.Error(err)
				}
				if got := e.Now().Sub(noon()); got != 150*time.Second {
					t.Errorf("now is %s after noon, want 2m30s", got)
				}
			},
			want: []string{"0s pod/default/a", "1m0s pod/default/a", "2m0s pod/default/a"},
		},
		"auto jumps as long as there is work": {
			cfg:  Config{Mode: Auto},
			do:   sleeper(work, 2),
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a", "1m0s pod/default/a", "2m0s pod/default/a"},
		},
		"auto does not run after recurring steps": {
			cfg:  Config{Mode: Auto},
			do:   sleeper(recurring, 2),
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a"},
		},
		"auto leaves an endless loop after its wakes": {
			cfg:  Config{Mode: Auto, WakesMax: 2},
			do:   sleeper(work, 1000),
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a", "1m0s pod/default/a", "2m0s pod/default/a"},
		},
		"a jump over many chores runs one": {
			cfg: Config{Mode: Manual},
			do:  sleeper(chore, 1000),
			run: func(t *testing.T, e *Engine) {
				e.Deliver(added(1, "a"))
				settle(t, e)
				if err := e.Advance(t.Context(), time.Hour); err != nil {
					t.Error(err)
				}
			},
			want: []string{"0s pod/default/a", "1h0m0s pod/default/a"},
		},
		"a step that fails is tried again after 5 ms, then 10": {
			cfg: Config{Mode: Auto},
			do: func() func(Key, time.Time) (Wake, error) {
				n := 0
				return func(Key, time.Time) (Wake, error) {
					if n++; n < 3 {
						return Wake{}, errors.New("not yet")
					}
					return Wake{}, nil
				}
			}(),
			run:  func(t *testing.T, e *Engine) { e.Deliver(added(1, "a")) },
			want: []string{"0s pod/default/a", "5ms pod/default/a", "15ms pod/default/a"},
		},
		"next goes to the next timer": {
			cfg: Config{Mode: Manual},
			do:  sleeper(recurring, 9),
			run: func(t *testing.T, e *Engine) {
				e.Deliver(added(1, "a"))
				settle(t, e)
				if err := e.Next(t.Context()); err != nil {
					t.Error(err)
				}
			},
			want: []string{"0s pod/default/a", "1m0s pod/default/a"},
		},
		"paused auto stands still": {
			cfg: Config{Mode: Auto},
			do:  sleeper(work, 3),
			run: func(t *testing.T, e *Engine) {
				if err := e.Pause(t.Context()); err != nil {
					t.Error(err)
				}
				e.Deliver(added(1, "a"))
			},
			want: []string{"0s pod/default/a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			e := start(t, tc.cfg, scripted{name: "pod", steps: &steps, do: tc.do})
			tc.run(t, e)
			settle(t, e)
			if diff := cmp.Diff(tc.want, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWriteFromOutsideWaitsForRest(t *testing.T) {
	var steps []string
	e := start(t, Config{Mode: Auto}, scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
		if now.Sub(noon()) < time.Hour {
			return Wake{At: now.Add(time.Minute)}, nil
		}
		return Wake{}, nil
	}})
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Deliver(added(1, "a"))
	if len(steps) != 0 {
		t.Errorf("the engine ran %d steps while a write was inside", len(steps))
	}
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := e.Now().Sub(noon()); got != time.Hour {
		t.Errorf("answered %s after noon, want 1h: at rest", got)
	}
}

func TestCommandsRefuseToGoBack(t *testing.T) {
	e := start(t, Config{Mode: Manual})
	if err := e.Advance(t.Context(), -time.Second); !errors.Is(err, ErrBackwards) {
		t.Errorf("Advance(-1s) = %v, want ErrBackwards", err)
	}
	if err := e.Until(t.Context(), noon().Add(-time.Second)); !errors.Is(err, ErrBackwards) {
		t.Errorf("Until(11:59:59) = %v, want ErrBackwards", err)
	}
}

func TestALivelockStopsTheRunWithItsKey(t *testing.T) {
	e, err := New(Config{Start: noon(), Mode: Manual, Speed: 1, StepsMax: 10})
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	e.Register(scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) { return Wake{At: now}, nil }})
	e.Poke(Key{Controller: "pod", Name: "a"})
	err = e.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `last "pod/a"`) {
		t.Errorf("Run() = %v, want an error that names pod/a", err)
	}
}

func TestAPanicStopsTheRunWithSeedAndKey(t *testing.T) {
	e, err := New(Config{Start: noon(), Mode: Manual, Speed: 1, Seed: 42})
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	e.Register(scripted{name: "pod", steps: &steps, do: func(Key, time.Time) (Wake, error) { panic("broken") }})
	e.Poke(Key{Controller: "pod", Name: "a"})
	err = e.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"pod/a"`) || !strings.Contains(err.Error(), "seed 42") {
		t.Errorf("Run() = %v, want an error that names pod/a and seed 42", err)
	}
}

func TestTheEventLogIsTheSameEveryTime(t *testing.T) {
	run := func() string {
		var log bytes.Buffer
		var steps []string
		e := start(t, Config{Mode: Manual, Log: &log}, scripted{name: "pod", steps: &steps})
		e.Deliver(added(1, "a"))
		e.Deliver(Commit{Revision: 2, Type: watch.Modified, Resource: Pods, Object: pod("a")})
		settle(t, e)
		if err := e.Advance(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		e.Deliver(Commit{Revision: 3, Type: watch.Deleted, Resource: Pods, Object: pod("a")})
		settle(t, e)
		return log.String()
	}
	want := `2026-01-01T12:00:00.000000000Z r1 client create pods/default/a
2026-01-01T12:00:00.000000000Z r2 client update pods/default/a
2026-01-01T12:00:01.000000000Z r3 client delete pods/default/a
`
	for range 20 {
		if diff := cmp.Diff(want, run()); diff != "" {
			t.Fatalf("event log (-want +got):\n%s", diff)
		}
	}
}

func TestConfigNamesEveryWrongField(t *testing.T) {
	_, err := New(Config{Mode: "fast", Speed: -1})
	for _, want := range []string{`clock mode "fast"`, "clock speed -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %v, want it to name %s", err, want)
		}
	}
}

func TestRealtimeFlowsAndRunsTimers(t *testing.T) {
	var steps []string
	ran := make(chan struct{})
	e := start(t, Config{Mode: Realtime}, scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
		if now.Sub(noon()) >= time.Hour {
			close(ran)
			return Wake{}, nil
		}
		return Wake{At: noon().Add(time.Hour)}, nil
	}})
	// An hour passes in a few milliseconds.
	if err := e.SetMode(t.Context(), Realtime, 1e6); err != nil {
		t.Fatal(err)
	}
	e.Deliver(added(1, "a"))
	<-ran
}

func TestManyWritersAtATimeAreAllAnswered(t *testing.T) {
	var steps []string
	e := start(t, Config{Mode: Auto}, scripted{name: "pod", steps: &steps})
	const writers = 50
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			leave, err := e.Enter(t.Context())
			if err == nil {
				e.Deliver(added(int64(i+1), fmt.Sprintf("pod-%02d", i)))
				err = leave(t.Context())
			}
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	settle(t, e)
	if len(steps) != writers {
		t.Errorf("%d steps, want one for each of %d writes", len(steps), writers)
	}
}

func TestACommandEndsAnEndlessRunOfModeAuto(t *testing.T) {
	var steps []string
	e := start(t, Config{Mode: Auto, WakesMax: 1 << 40, MovesMax: 1 << 40}, scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
		return Wake{At: now.Add(time.Minute)}, nil
	}})
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Deliver(added(1, "a"))
	left := make(chan error)
	go func() { left <- leave(t.Context()) }()
	for e.Now().Equal(noon()) { // until the run is under way
		runtime.Gosched()
	}
	if err := e.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-left; err != nil { // the write is answered, too
		t.Fatal(err)
	}
	if s := e.Status(); !s.Paused || !s.Settled {
		t.Errorf("status after pause is %+v", s)
	}
}

func TestChainsOfKeysDoNotMoveTimeForEver(t *testing.T) {
	var steps []string
	var e *Engine
	e = start(t, Config{Mode: Auto, MovesMax: 10}, scripted{name: "pod", steps: &steps, do: func(key Key, now time.Time) (Wake, error) {
		if len(key.Name) > 1 { // each key is a new one
			e.Poke(Key{Controller: "pod", Name: "x"})
			return Wake{}, nil
		}
		return Wake{At: now.Add(time.Second)}, nil
	}})
	e.Deliver(added(1, "xx"))
	settle(t, e)
	if got := e.Now().Sub(noon()); got > 10*time.Second {
		t.Errorf("time moved on by %s, want at most 10 moves", got)
	}
}

// cron is a scripted Periodic.
type cron struct{ scripted }

func (cron) Periodic() {}

// TestSchedulesAreNoReasonToMoveTime has a schedule start a Pod every minute
// that runs for 90 seconds, so that there is always one under way.
func TestSchedulesAreNoReasonToMoveTime(t *testing.T) {
	for name, tc := range map[string]struct {
		advance, want time.Duration
		steps         []string
	}{
		"in mode auto nothing starts by itself": {
			want:  0,
			steps: []string{"0s cron/default/schedule"},
		},
		"what a command's time starts runs to its end, what starts meanwhile does not": {
			advance: time.Minute,
			want:    150 * time.Second,
			steps: []string{
				"0s cron/default/schedule", "1m0s cron/default/schedule", "1m0s pod/default/run-1",
				"2m0s cron/default/schedule", "2m0s pod/default/run-2", "2m30s pod/default/run-1",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			var e *Engine
			runs, ends := 0, map[string]time.Time{}
			schedule := cron{scripted{name: "cron", only: "schedule", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
				if now.After(noon()) {
					runs++
					e.Deliver(added(int64(1+runs), fmt.Sprintf("run-%d", runs)))
				}
				return Wake{At: now.Add(time.Minute), kind: recurring}, nil
			}}}
			pods := scripted{name: "pod", only: "run-", steps: &steps, do: func(key Key, now time.Time) (Wake, error) {
				if ends[key.Name].IsZero() {
					ends[key.Name] = now.Add(90 * time.Second)
					return Wake{At: ends[key.Name]}, nil
				}
				return Wake{}, nil
			}}
			e = start(t, Config{Mode: Auto}, schedule, pods)
			e.Deliver(added(1, "schedule"))
			settle(t, e)
			if tc.advance > 0 {
				if err := e.Advance(t.Context(), tc.advance); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got := e.Now().Sub(noon()); got != tc.want {
				t.Errorf("now is %s after noon, want %s", got, tc.want)
			}
		})
	}
}

func TestAnAdvanceWhoseClientHasGoneStops(t *testing.T) {
	var steps []string
	ctx, cancel := context.WithCancel(t.Context())
	e := start(t, Config{Mode: Manual}, scripted{name: "pod", steps: &steps, do: func(_ Key, now time.Time) (Wake, error) {
		if now.Sub(noon()) >= time.Hour {
			cancel()
		}
		return Wake{At: now.Add(time.Minute), kind: recurring}, nil
	}})
	e.Deliver(added(1, "a"))
	settle(t, e)
	if err := e.Advance(ctx, 100*365*24*time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatalf("Advance() = %v, want context.Canceled", err)
	}
	if err := e.Pause(t.Context()); err != nil { // the clock obeys again
		t.Fatal(err)
	}
}

func TestABatchedCommitMakesWorkOfARecurringKey(t *testing.T) {
	q := newQueue()
	key := Key{Controller: "job", Name: "a"}
	q.schedule(key, Wake{At: noon().Add(time.Second), kind: recurring})
	q.hasten(key, noon().Add(time.Minute), false)
	if at, ok := q.next(); !ok || !at.Equal(noon().Add(time.Second)) || len(q.heaps[work]) != 1 {
		t.Errorf("next at %s with %d work, want 12:00:01 with 1", at, len(q.heaps[work]))
	}
}

func TestWaitersLearnThatTheEngineHasStopped(t *testing.T) {
	e, err := New(Config{Start: noon(), Mode: Manual, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	e.Deliver(added(1, "a"))
	if err := leave(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("leave() = %v, want context.Canceled", err)
	}
}

func TestSpeeds(t *testing.T) {
	for speed, ok := range map[float64]bool{1: true, 0.001: true, SpeedMax: true, 0: false, -1: false, 1e300: false, math.Inf(1): false, math.NaN(): false} {
		if err := CheckSpeed(speed); (err == nil) != ok {
			t.Errorf("CheckSpeed(%v) = %v", speed, err)
		}
	}
}

// TestCommandsOfManyClients: two that advance the clock at once do not wait for each
// other, and both are told, in the order of their effects.
func TestCommandsOfManyClients(t *testing.T) {
	var told []string
	e, err := New(Config{Start: noon(), Mode: Manual, Speed: 1, Commanded: func(c Command) {
		told = append(told, fmt.Sprint(c.Action, " ", c.Duration, " at ", c.At.Sub(noon())))
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running, moving sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	for range 20 {
		moving.Go(func() {
			for range 20 {
				if err := e.Advance(ctx, time.Minute); err != nil {
					t.Error(err)
				}
			}
		})
	}
	moving.Wait()
	stop()
	running.Wait()
	var want []string
	for i := range 400 {
		want = append(want, fmt.Sprint("advance 1m0s at ", time.Duration(i)*time.Minute))
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
