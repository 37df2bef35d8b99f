package cluster

import (
	"context"
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/session"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// The verbs of the clock, for programs with a cluster in their own process: scenarios and tests.

// timed is the cluster's time, if that is its own.
func (c *Cluster) timed() (timed, error) { return c.ring.Load().backend.timed() }

// drive runs a command of the engine and returns when what it has led to can be
// read.
func (c *Cluster) drive(ctx context.Context, command func(*engine.Engine) error) error {
	t, err := c.timed()
	if err != nil {
		return err
	}
	if err := command(t.clock()); err != nil {
		return err
	}
	return t.written(ctx)
}

// Advance moves virtual time on by d, through every timer in between, and returns
// when the cluster is at rest.
func (c *Cluster) Advance(ctx context.Context, d time.Duration) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Advance(ctx, d) })
}

// Until moves virtual time on to t, as Advance does. It fails with
// engine.ErrBackwards if t has passed.
func (c *Cluster) Until(ctx context.Context, t time.Time) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Until(ctx, t) })
}

// Next moves virtual time on to the next timer that is no chore, if there is one.
func (c *Cluster) Next(ctx context.Context) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Next(ctx) })
}

// AwaitRest returns when the cluster is at rest: nothing is due at the present instant
// and, in mode auto, no work is under way.
func (c *Cluster) AwaitRest(ctx context.Context) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.AwaitRest(ctx) })
}

// Pause stops virtual time; Resume lets it move again. Both return when the cluster
// is at rest.
func (c *Cluster) Pause(ctx context.Context) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Pause(ctx) })
}

// Resume lets virtual time move again after Pause.
func (c *Cluster) Resume(ctx context.Context) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Resume(ctx) })
}

// SetMode changes how virtual time advances. A speed of 0 leaves the speed as it is.
func (c *Cluster) SetMode(ctx context.Context, mode engine.Mode, speed float64) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.SetMode(ctx, mode, speed) })
}

// Hold bounds how far auto mode may advance the clock after the next request or command;
// zero is no bound, see engine.Engine.Hold.
func (c *Cluster) Hold(until time.Time) {
	if t, err := c.timed(); err == nil {
		t.clock().Hold(until)
	}
}

// Now is the cluster's virtual time. A cluster in etcd has none.
func (c *Cluster) Now() time.Time {
	t, err := c.timed()
	if err != nil {
		return time.Time{}
	}
	return t.clock().Now()
}

// Status is what the clock shows. It does not wait. A cluster in etcd has none.
func (c *Cluster) Status() engine.Status {
	t, err := c.timed()
	if err != nil {
		return engine.Status{}
	}
	return t.clock().Status()
}

// Exec starts a command in a container, and returns when the cluster is at rest.
func (c *Cluster) Exec(ctx context.Context, t stream.Target, command []string, stdin string) (*session.Command, error) {
	time, err := c.timed()
	if err != nil {
		return nil, err
	}
	started, err := time.exec(ctx, t, command, stdin)
	if err != nil {
		return nil, err
	}
	return started, c.AwaitRest(ctx)
}
