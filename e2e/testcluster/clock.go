package testcluster

import (
	"context"
	"time"
)

// Now is the present instant of virtual time.
func (c *Cluster) Now() time.Time { return c.cluster.Status().Now }

// Advance moves time on by d, through every timer in between, and returns when all that
// this leads to has happened.
func (c *Cluster) Advance(d time.Duration) {
	c.t.Helper()
	c.must(c.cluster.Advance(context.Background(), d))
}

// Until moves time on to t, as Advance does.
func (c *Cluster) Until(t time.Time) {
	c.t.Helper()
	c.must(c.cluster.Until(context.Background(), t))
}

// Next moves time on to the next timer, if there is one; heartbeats and the like are
// none.
func (c *Cluster) Next() {
	c.t.Helper()
	c.must(c.cluster.Next(context.Background()))
}

// Settle returns when nothing is due at the present instant and, in mode Auto, no work
// is under way. After a write of the test's own that is so already.
func (c *Cluster) Settle() {
	c.t.Helper()
	c.must(c.cluster.Settle(context.Background()))
}

// Pause keeps mode Auto from moving time, so that what the test creates next begins at
// one instant. Resume lets it go on.
func (c *Cluster) Pause() {
	c.t.Helper()
	c.must(c.cluster.Pause(context.Background()))
}

// Resume ends Pause, and returns when the cluster is at rest.
func (c *Cluster) Resume() {
	c.t.Helper()
	c.must(c.cluster.Resume(context.Background()))
}

// Eventually moves time from timer to timer until check returns nil, by at most within.
// If check still fails then, so does the test, with what it has to object. Nothing is
// polled: check is called whenever something has happened, at the same instants in
// every run.
func (c *Cluster) Eventually(within time.Duration, check func() error) {
	c.t.Helper()
	err := c.walk(within, check, func(err error) bool { return err == nil })
	if err != nil {
		c.t.Fatalf("after %s of virtual time, at %s: %v", within, stamp(c.Now()), err)
	}
}

// Consistently moves time on by d, from timer to timer, and fails the test if check does
// not return nil at each.
func (c *Cluster) Consistently(d time.Duration, check func() error) {
	c.t.Helper()
	start := c.Now()
	if err := c.walk(d, check, func(err error) bool { return err != nil }); err != nil {
		c.t.Fatalf("after %s of virtual time, at %s: %v", c.Now().Sub(start), stamp(c.Now()), err)
	}
}

// walk moves time on by d, from timer to timer, until stop says to, and returns what
// check said last.
func (c *Cluster) walk(d time.Duration, check func() error, stop func(error) bool) error {
	c.t.Helper()
	end := c.Now().Add(d)
	for {
		c.Settle()
		err := check()
		if stop(err) || !c.Now().Before(end) {
			return err
		}
		if next := c.cluster.Status().Next; next.After(c.Now()) && next.Before(end) {
			c.Until(next)
		} else {
			c.Until(end)
		}
	}
}

// awaitMax bounds how long clients beside the test may take. Unit: wall time.
const awaitMax = time.Minute

// Await waits, without moving time, until check returns nil: for what clients beside the
// test do, such as an operator under test, to which no virtual time passes meanwhile.
// check should look at the cluster: it is called after each write. After a minute the
// test fails with what check has to object.
func (c *Cluster) Await(check func() error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), awaitMax)
	defer cancel()
	for {
		news := c.events.news()
		c.Settle()
		err := check()
		if err == nil {
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			c.t.Fatalf("after %s of real time, at %s: %v", awaitMax, stamp(c.Now()), err)
			return
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// must fails the test.
func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("testcluster: %v", err)
	}
}
