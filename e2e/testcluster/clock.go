package testcluster

import (
	"context"
	"time"
)

// Now returns the present virtual time.
func (c *Cluster) Now() time.Time { return c.cluster.Status().Now }

// Advance advances the clock by d, through every timer in between. It returns when
// everything that this leads to has happened.
func (c *Cluster) Advance(d time.Duration) {
	c.t.Helper()
	c.must(c.cluster.Advance(context.Background(), d))
}

// Until advances the clock to t, as Advance does.
func (c *Cluster) Until(t time.Time) {
	c.t.Helper()
	c.must(c.cluster.Until(context.Background(), t))
}

// Next advances the clock to the next timer, if there is one. Heartbeats and the like
// do not count.
func (c *Cluster) Next() {
	c.t.Helper()
	c.must(c.cluster.Next(context.Background()))
}

// Settle returns when nothing is due at the present instant and, in mode Auto, no work
// is under way. After a write by the test itself, this is already the case.
func (c *Cluster) Settle() {
	c.t.Helper()
	c.must(c.cluster.AwaitRest(context.Background()))
}

// Pause stops mode Auto from advancing the clock, so that whatever the test creates
// next begins at one instant. Resume lets the clock advance again.
func (c *Cluster) Pause() {
	c.t.Helper()
	c.must(c.cluster.Pause(context.Background()))
}

// Resume ends Pause, and returns when the cluster is at rest.
func (c *Cluster) Resume() {
	c.t.Helper()
	c.must(c.cluster.Resume(context.Background()))
}

// Eventually advances the clock from timer to timer until check returns nil, by at most
// within. If check still fails then, the test fails with check's error. Nothing is
// polled: check is called whenever something has happened, at the same instants in
// every run.
func (c *Cluster) Eventually(within time.Duration, check func() error) {
	c.t.Helper()
	err := c.walk(within, check, func(err error) bool { return err == nil })
	if err != nil {
		c.t.Fatalf("after %s of virtual time, at %s: %v", within, stamp(c.Now()), err)
	}
}

// Consistently advances the clock by d, from timer to timer. It fails the test if check
// does not return nil at each timer.
func (c *Cluster) Consistently(d time.Duration, check func() error) {
	c.t.Helper()
	start := c.Now()
	if err := c.walk(d, check, func(err error) bool { return err != nil }); err != nil {
		c.t.Fatalf("after %s of virtual time, at %s: %v", c.Now().Sub(start), stamp(c.Now()), err)
	}
}

// walk advances the clock by d, from timer to timer, until stop says so. It returns the
// last result of check.
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

// awaitAgain is how long Await waits for a write before it calls check again: what check
// looks at may be beside the cluster, and write nothing. Unit: wall time.
const awaitAgain = 50 * time.Millisecond

// Await waits, without advancing the clock, until check returns nil. Use it for clients
// beside the test, such as an operator under test: no virtual time passes for them in
// the meantime. check is called after each write to the cluster, and now and then if
// there is none, so that it may also ask the client itself whether it is ready. After a
// minute, the test fails with check's error.
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
		if awaitNews(ctx, news); ctx.Err() != nil {
			c.t.Fatalf("after %s of real time, at %s: %v", awaitMax, stamp(c.Now()), err)
			return
		}
	}
}

// awaitNews waits for news, but not for longer than awaitAgain.
func awaitNews(ctx context.Context, news <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, awaitAgain)
	defer cancel()
	select {
	case <-news:
	case <-ctx.Done():
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
