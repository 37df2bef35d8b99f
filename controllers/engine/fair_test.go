package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// crowd is a reconciler whose keys cost wall time, on a clock of their own. A key
// "hog-N" is due again at once, or a moment later, forever; "job-N" is a chain of
// steps, each of which makes the next one due.
type crowd struct {
	engine *Engine
	wall   time.Time
	// rest is how long a hog waits, virtual time.
	rest func(n int) time.Duration
	// cost is what a hog's step takes, wall time.
	cost func(n int) time.Duration
	ran  map[string]int
	// arrived and waited are of the job: when its step became due, and the longest
	// wait for one.
	arrived time.Time
	waited  time.Duration
	done    func()
}

func (c *crowd) Name() string         { return "crowd" }
func (c *crowd) Observe(Commit) []Key { return nil }

// hops is how many steps the job needs, and hopCost what each takes.
const hops, hopCost = 12, time.Millisecond

func (c *crowd) Reconcile(_ context.Context, key Key, now time.Time) (Wake, error) {
	c.ran[key.Name]++
	var n int
	if _, err := fmt.Sscanf(key.Name, "hog-%d", &n); err == nil {
		c.wall = c.wall.Add(c.cost(n))
		return Wake{At: now.Add(c.rest(n))}, nil
	}
	c.waited = max(c.waited, c.wall.Sub(c.arrived))
	c.wall = c.wall.Add(hopCost)
	c.arrived = c.wall
	if _, err := fmt.Sscanf(key.Name, "job-%d", &n); err == nil && n < hops {
		c.engine.Poke(Key{Controller: c.Name(), Name: fmt.Sprintf("job-%d", n+1)})
	} else {
		c.done()
	}
	return Wake{}, nil
}

// beside lets hogs run for a while, then a job, and returns the crowd at its end.
func beside(t *testing.T, hogs int, rest, cost func(n int) time.Duration) *crowd {
	t.Helper()
	e, err := New(Config{Start: noon(), Seed: 1, Mode: Realtime, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{engine: e, wall: noon(), rest: rest, cost: cost, ran: map[string]int{}, done: cancel}
	e.clock.wall = func() time.Time { return c.wall }
	e.clock.since = noon()
	e.Register(c)
	for n := range hogs {
		e.Poke(Key{Controller: c.Name(), Name: fmt.Sprintf("hog-%d", n)})
	}
	warm := 20 * hogs
	c.cost = func(n int) time.Duration {
		if warm--; warm == 0 {
			c.arrived = c.wall
			e.Poke(Key{Controller: c.Name(), Name: "job-1"})
		}
		return cost(n)
	}
	e.now = e.clock.now()
	if err := e.settle(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return c
}

// TestAJobBesideHogs: keys that together ask for far more than there is do not hold up
// a chain of small steps, however many they are, and have equal shares themselves.
func TestAJobBesideHogs(t *testing.T) {
	const slice = 10 * time.Millisecond
	always := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	for name, tc := range map[string]struct {
		hogs       int
		rest, cost func(int) time.Duration
	}{
		"200 that never wait":                    {200, always(time.Millisecond), always(slice)},
		"2000 of them":                           {2000, always(time.Millisecond), always(slice)},
		"200 that back off, as a busy container": {200, always(time.Second), always(slice)},
		"200 of many kinds":                      {200, func(n int) time.Duration { return time.Duration(n) * time.Millisecond }, func(n int) time.Duration { return time.Duration(1+n%20) * time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			c := beside(t, tc.hogs, tc.rest, tc.cost)
			if limit := time.Second; c.waited > limit {
				t.Errorf("a step of the job waited for %s, want at most %s", c.waited, limit)
			}
			used := func(n int) time.Duration {
				return time.Duration(c.ran[fmt.Sprintf("hog-%d", n)]) * tc.cost(n)
			}
			least, most := used(0), used(0)
			for n := range tc.hogs {
				least, most = min(least, used(n)), max(most, used(n))
			}
			// One that waits a while between its steps may use less than it might.
			if most-least > 40*time.Millisecond && tc.rest(0) == tc.rest(1) {
				t.Errorf("of the hogs one has had %s, another %s", least, most)
			}
		})
	}
}

// TestFairSharesAreForgotten: keys that are ahead of nobody take no memory.
func TestFairSharesAreForgotten(t *testing.T) {
	s := newShares()
	for n := range 100_000 {
		key := Key{Name: fmt.Sprint(n)}
		tag := s.tag(key)
		s.now = tag
		s.charge(key, tag, time.Millisecond)
		if n%10 == 0 {
			s.now += 5 * time.Millisecond
		}
	}
	if len(s.finish) > 2*sharesMin {
		t.Errorf("%d keys are kept", len(s.finish))
	}
}

// TestOrderWithoutAFlowingClock: in the other modes shares do not count.
func TestOrderWithoutAFlowingClock(t *testing.T) {
	var orders []string
	for range 2 {
		var order []string
		e, err := New(Config{Start: noon(), Seed: 1, Mode: Auto, Speed: 1, WakesMax: 50})
		if err != nil {
			t.Fatal(err)
		}
		e.Register(scripted{name: "r", steps: &[]string{}, do: func(key Key, now time.Time) (Wake, error) {
			order = append(order, key.Name)
			e.queue.shares.charge(key, time.Duration(len(order)), time.Hour)
			return Wake{At: now.Add(time.Millisecond)}, nil
		}})
		for _, name := range []string{"a", "b", "c"} {
			e.Poke(Key{Controller: "r", Name: name})
		}
		if err := e.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders = append(orders, strings.Join(order, ""))
	}
	if want := strings.Repeat("abc", 51); orders[0] != want || orders[1] != want {
		t.Errorf("order: %v, want %s", orders, want)
	}
}
