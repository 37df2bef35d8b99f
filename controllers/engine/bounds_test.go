package engine

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSumsEndAtTheBounds(t *testing.T) {
	for name, tc := range map[string]struct{ got, want any }{
		"a day":                {After(noon(), 24*time.Hour), noon().AddDate(0, 0, 1)},
		"the last instant":     {After(TimeMax(), 0), TimeMax()},
		"a second after it":    {After(TimeMax(), time.Second), never()},
		"285 years":            {After(noon(), 9e9*time.Second), never()},
		"292 years ago":        {After(noon(), math.MinInt64), TimeMin()},
		"seconds":              {Seconds(90), 90 * time.Second},
		"the most seconds":     {Seconds(math.MaxInt64), time.Duration(math.MaxInt64)},
		"the least seconds":    {Seconds(math.MinInt64), time.Duration(-math.MaxInt64)},
		"half a minute":        {Span(0.5, time.Minute), 30 * time.Second},
		"endless minutes":      {Span(math.Inf(1), time.Minute), time.Duration(math.MaxInt64)},
		"endless minutes back": {Span(math.Inf(-1), time.Minute), time.Duration(-math.MaxInt64)},
		"no number":            {Span(math.NaN(), time.Second), time.Duration(0)},
		"too many nanoseconds": {Span(math.MaxInt64, 1), time.Duration(math.MaxInt64)},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %v, want %v", name, tc.got, tc.want)
		}
	}
}

// TestSumsNeverOverflow: whatever is added to whatever instant, the sum is in order and
// fits into 64 bits of nanoseconds.
func TestSumsNeverOverflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "from"), 0).UTC()
		d := Seconds(rapid.Int64().Draw(t, "seconds"))
		sum := After(from, d)
		if back := time.Unix(0, sum.UnixNano()); !back.Equal(sum) || sum.Before(TimeMin()) {
			t.Fatalf("After(%s, %s) = %s, which is stored as %s", from, d, sum, back)
		}
		if want := from.Add(d); CheckTime(want) == nil && !want.Equal(sum) {
			t.Fatalf("After(%s, %s) = %s, want %s", from, d, sum, want)
		}
	})
}

func TestStartsOutsideOfTimeAreRefused(t *testing.T) {
	for _, start := range []string{"0001-01-02T00:00:00Z", "1700-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2262-04-01T00:00:01Z", "2263-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Start: at, Mode: Auto, Speed: 1}); !errors.Is(err, ErrOutOfTime) {
			t.Errorf("start at %s: %v, want %v", start, err, ErrOutOfTime)
		}
	}
	for _, start := range []time.Time{TimeMin(), TimeMax()} {
		if e, err := New(Config{Start: start, Mode: Auto, Speed: 1}); err != nil || !e.Now().Equal(start) {
			t.Errorf("start at %s: %v", start, err)
		}
	}
}

// TestWakesAfterTheEndNeverCome: auto mode does not advance the clock for them, and
// time that is moved to its end leaves them out.
func TestWakesAfterTheEndNeverCome(t *testing.T) {
	var steps []string
	do := func(key Key, now time.Time) (Wake, error) {
		if key.Name == "b" {
			return Wake{At: now.AddDate(100, 0, 0)}, nil // three times in 300 years
		}
		return Wake{At: now.Add(math.MaxInt64)}, nil
	}
	e := start(t, Config{Mode: Manual}, scripted{name: "pod", steps: &steps, do: do})
	e.Deliver(added(1, "a"))
	settle(t, e)
	if s := e.Status(); s.Working || !s.Next.IsZero() {
		t.Errorf("%+v, want no work that will ever be done", s)
	}
	e.Deliver(added(2, "b"))
	settle(t, e)
	if err := e.Until(t.Context(), TimeMax().Add(1)); !errors.Is(err, ErrOutOfTime) {
		t.Errorf("until after the end: %v", err)
	}
	if err := e.Advance(t.Context(), math.MaxInt64); !errors.Is(err, ErrOutOfTime) {
		t.Errorf("advance to after the end: %v", err)
	}
	if err := e.Until(t.Context(), TimeMax()); err != nil {
		t.Fatal(err)
	}
	if s := e.Status(); !s.Now.Equal(TimeMax()) || s.Working || len(steps) != 4 {
		t.Errorf("%+v after the steps %q, want the last instant after four", s, steps)
	}
	if err := e.Advance(t.Context(), 1); !errors.Is(err, ErrOutOfTime) {
		t.Errorf("advance at the end: %v", err)
	}
}

// TestAFlowingClockEnds: at its highest speed, after a machine has slept for a year.
func TestAFlowingClockEnds(t *testing.T) {
	c := newClock(noon(), Realtime, SpeedMax)
	c.since = c.since.AddDate(-1, 0, 0)
	if now := c.now(); !now.Equal(TimeMax()) {
		t.Errorf("it is %s, want the end of time", now)
	}
	c.moveTo(TimeMax().AddDate(1, 0, 0))
	if now := c.now(); !now.Equal(TimeMax()) {
		t.Errorf("it is %s after all, want the end of time", now)
	}
}

// TestDueBeforeTimeBegan: an instant that is stored as Unix nanoseconds is never 0,
// which says that there is none.
func TestDueBeforeTimeBegan(t *testing.T) {
	for _, at := range []time.Time{TimeMin(), TimeMin().AddDate(-1, 0, 0), time.Time{}.AddDate(1, 0, 0)} {
		if got := (Wake{At: at}).bounded(); got.At.UnixNano() != 1 {
			t.Errorf("a wake at %s is at %s", at, got.At)
		}
	}
}
