package engine

import (
	"testing"
	"time"
)

// TestAutoMoveIsBounded: the clock does not advance for work that is due later than
// AutoMax after the last input, not even to what comes before it.
func TestAutoMoveIsBounded(t *testing.T) {
	var steps []string
	do := func(key Key, now time.Time) (Wake, error) {
		switch key.Name {
		case "a":
			return Wake{At: now.Add(10 * time.Hour)}, nil
		case "b":
			return Wake{At: now.Add(time.Hour), kind: recurring}, nil
		}
		return Wake{}, nil
	}
	e := start(t, Config{Mode: Auto, AutoMax: 24 * time.Hour}, scripted{name: "pod", steps: &steps, do: do})
	e.Deliver(added(1, "b"))
	settle(t, e)
	e.Deliver(added(2, "a"))
	settle(t, e)
	if got := e.Now().Sub(noon()); got != 20*time.Hour {
		t.Errorf("time has moved by %s, want 20h: the third turn is due after 30h", got)
	}
	leave, err := e.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Deliver(added(3, "c"))
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := e.Now().Sub(noon()); got != 40*time.Hour {
		t.Errorf("after another write it has moved by %s, want 40h", got)
	}
	if err := e.Advance(t.Context(), 5*time.Hour); err != nil { // what auto may do counts from its end
		t.Fatal(err)
	}
	if got := e.Now().Sub(noon()); got != 60*time.Hour {
		t.Errorf("after a command it has moved by %s, want 60h", got)
	}
}
