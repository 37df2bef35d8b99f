package engine

import (
	"fmt"
	"sync"
	"time"
)

// Mode says how virtual time advances.
type Mode string

const (
	// Realtime lets time flow, Speed times as fast as the wall clock.
	Realtime Mode = "realtime"
	// Auto jumps to the next timer as long as work is under way. At rest, time stands
	// still.
	Auto Mode = "auto"
	// Manual advances time only on command.
	Manual Mode = "manual"
)

// ParseMode returns the mode that s names.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Realtime, Auto, Manual:
		return m, nil
	}
	return "", fmt.Errorf("clock mode %q: want realtime, auto or manual", s)
}

// clock is virtual time. Only this file reads the wall clock.
type clock struct {
	mu     sync.Mutex
	mode   Mode
	speed  float64
	paused bool
	// at is the virtual instant that was reached at the wall-clock instant since.
	at    time.Time
	since time.Time
	// held keeps realtime still while the engine steps toward a target.
	held bool
	// wall is the wall clock; tests have their own.
	wall func() time.Time
}

func newClock(start time.Time, mode Mode, speed float64) *clock {
	if start.IsZero() {
		start = time.Now()
	}
	return &clock{mode: mode, speed: speed, at: Within(start.UTC().Round(0)), since: time.Now(), wall: time.Now}
}

func (c *clock) flows() bool { return c.mode == Realtime && !c.paused && !c.held }

// now returns the virtual instant. It never goes back, and ends at TimeMax.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time {
	if !c.flows() {
		return c.at
	}
	wall := c.wall().Sub(c.since)
	now := Within(c.at.Add(Span(c.speed, wall)))
	if wall > rebaseAfter {
		c.at, c.since = now, c.since.Add(wall)
	}
	return now
}

// rebaseAfter keeps the multiplied value small, and so exact.
const rebaseAfter = time.Hour

// moveTo sets virtual time to t, at most TimeMax, unless that would turn it back.
func (c *clock) moveTo(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t = Within(t.UTC()); t.After(c.nowLocked()) {
		c.at, c.since = t, c.wall()
	}
}

// change changes the settings and continues from the present instant.
func (c *clock) change(edit func(*clock)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since = c.nowLocked(), c.wall()
	edit(c)
}

// measure returns a function that returns the wall time since measure was called, or
// zero if time does not flow.
func (c *clock) measure() func() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.flows() {
		return nil
	}
	begun := c.wall()
	return func() time.Duration { return c.wall().Sub(begun) }
}

// wake calls f once virtual time has flowed to t, and returns a function that cancels
// that. It does nothing while time does not flow.
func (c *clock) wake(t time.Time, f func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.flows() {
		return func() {}
	}
	wait := time.Duration(min(float64(t.Sub(c.nowLocked()))/c.speed, float64(rebaseAfter)))
	timer := time.AfterFunc(max(wait, 0), f)
	return func() { timer.Stop() }
}

func (c *clock) settings() (mode Mode, speed float64, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode, c.speed, c.paused
}
