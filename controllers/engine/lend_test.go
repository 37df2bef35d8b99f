package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering is a reconciler that answers a question after a span of virtual time, and has
// a timer of its own beside that.
func answering(steps *[]string, after time.Duration) (r scripted, answered func() bool) {
	var asked time.Time
	over := false
	return scripted{name: "hook", steps: steps, do: func(key Key, now time.Time) (Wake, error) {
		if key.Name != "question" {
			return Progress(now.Add(2 * time.Second)), nil
		}
		if asked.IsZero() {
			asked = now
		}
		if over = !now.Before(asked.Add(after)); over {
			return Wake{}, nil
		}
		return Progress(asked.Add(after)), nil
	}}, func() bool { return over }
}

func TestAWriteLendsTheStage(t *testing.T) {
	for _, mode := range []Mode{Auto, Manual} {
		t.Run(string(mode), func(t *testing.T) {
			var steps []string
			hook, answered := answering(&steps, 5*time.Second)
			e := start(t, Config{Mode: mode, Paused: true}, hook)
			leave, err := e.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			e.Poke(Key{Controller: "hook", Name: "timer"})
			e.Ask(Key{Controller: "hook", Name: "question"}, "POST")
			if err := e.Lend(t.Context(), answered); err != nil {
				t.Fatal(err)
			}
			want := []string{"0s hook/timer", "0s hook/question", "2s hook/timer", "4s hook/timer", "5s hook/question"}
			if diff := cmp.Diff(want, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got := e.Now().Sub(noon()); got != 5*time.Second {
				t.Errorf("after %s, want 5s", got)
			}
			inTime, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := e.Enter(inTime); !errors.Is(err, context.Canceled) {
				t.Errorf("another client enters: %v", err)
			}
			if err := leave(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the engine still has to do when the answer comes waits for the end of the write.
func TestALoanEndsWithTheAnswer(t *testing.T) {
	var steps []string
	hook, answered := answering(&steps, 0)
	e := start(t, Config{Mode: Auto}, hook)
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"question", "timer"} {
		e.Poke(Key{Controller: "hook", Name: name})
	}
	if err := e.Lend(t.Context(), answered); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0s hook/question"}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if err := e.Pause(expired(t)); err == nil {
		t.Error("a command is carried out in the middle of a write")
	}
	e.clock.change(func(c *clock) { c.paused = true }) // the timer would go on forever
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(steps) != 2 || steps[1] != "0s hook/timer" {
		t.Errorf("steps %q, want the timer's after the write", steps)
	}
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestALoanWithoutAnAnswer(t *testing.T) {
	var steps []string
	hook, answered := answering(&steps, 0)
	e := start(t, Config{Mode: Auto}, hook)
	if err := e.Lend(t.Context(), answered); err == nil {
		t.Error("Lend without Enter gave no error")
	}
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Lend(t.Context(), answered); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("Lend() = %v, want ErrNoAnswer", err)
	}
	e.Poke(Key{Controller: "hook", Name: "timer"}) // it goes on forever
	if err := e.Lend(expired(t), answered); !errors.Is(err, context.Canceled) {
		t.Errorf("Lend() = %v, want context.Canceled", err)
	}
	e.mu.Lock()
	if e.running || e.lent != nil {
		t.Error("the engine is on stage after Lend")
	}
	e.mu.Unlock()
	e.clock.change(func(c *clock) { c.paused = true })
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
}
