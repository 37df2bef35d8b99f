package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// This file is for who runs a cluster in its own process: scenarios and tests.

// errSharedTime is the answer of a cluster in etcd to who would move its time.
var errSharedTime = errors.New("virtual time of a cluster in etcd is the wall clock's: nobody else moves it")

// bolt returns the backend of a cluster whose time is its own.
func (c *Cluster) bolt() (*bolt, error) {
	b, ok := c.backend.(*bolt)
	if !ok {
		return nil, errSharedTime
	}
	return b, nil
}

// RESTConfig is the administrator's, for any client of this process: like the
// kubeconfig, and without a port if the cluster has none. Requests are not limited.
// It outlives a rewind, which closes its connections. client-go's executors of exec,
// attach and port-forward dial for themselves, so that they need a cluster with a port.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	if m, ok := c.listener.(*memory); ok {
		config.Dial = m.dial
		// A server that stops gives HTTP/2's connections a second to learn of it.
		config.NextProtos = []string{"http/1.1"}
	}
	return config, nil
}

// drive runs a command of the engine and returns when what it has led to can be
// read.
func (c *Cluster) drive(ctx context.Context, command func(*engine.Engine) error) error {
	b, err := c.bolt()
	if err != nil {
		return err
	}
	if err := command(b.engine); err != nil {
		return err
	}
	return b.db.Settle(ctx)
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

// Settle returns when the cluster is at rest: nothing is due at the present instant
// and, in mode auto, no work is under way.
func (c *Cluster) Settle(ctx context.Context) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.Settle(ctx) })
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

// SetMode changes how virtual time moves. A speed of 0 stays as it is.
func (c *Cluster) SetMode(ctx context.Context, mode engine.Mode, speed float64) error {
	return c.drive(ctx, func(e *engine.Engine) error { return e.SetMode(ctx, mode, speed) })
}

// Status is what the clock shows. It does not wait. A cluster in etcd has none.
func (c *Cluster) Status() engine.Status {
	b, err := c.bolt()
	if err != nil {
		return engine.Status{}
	}
	return b.engine.Status()
}

// Save keeps the present state of the cluster as a snapshot under name, and returns
// its revision. A name that is taken is an error.
func (c *Cluster) Save(ctx context.Context, name string) (int64, error) {
	b, err := c.bolt()
	if err != nil {
		return 0, err
	}
	saved, err := c.dir.saveSnapshot(ctx, b.db, name)
	return saved.Revision, err
}

// Restore takes the cluster back to a snapshot: objects, clock, queue, random
// source and running programs. It ends connections and Client; RESTConfig goes on.
// In mode auto the clock is paused afterwards if work is under way.
func (c *Cluster) Restore(name string) error {
	return c.turn(historyRequest{Action: "restore", Name: name})
}

// Rewind takes the cluster back to a revision, such as "1234", or by a duration of
// virtual time, such as "10m"; see Restore.
func (c *Cluster) Rewind(to string) error {
	return c.turn(historyRequest{Action: "rewind", To: to})
}

// Restart stops the cluster and starts it again, as a server that is started again on
// its data directory: nothing of what happens next depends on it. It ends connections
// and Client; RESTConfig goes on.
func (c *Cluster) Restart() error {
	b, err := c.bolt()
	if err != nil {
		return err
	}
	if err := c.turns.begin(); err != nil {
		return err
	}
	err = c.reassemble(b, func() error { return nil }, func() error { return c.backend.(*bolt).engine.Resume(c.ctx) })
	c.turns.done(turned{}, err)
	return err
}

// turn does what historyPath does, and waits for its end.
func (c *Cluster) turn(r historyRequest) error {
	b, err := c.bolt()
	if err != nil {
		return err
	}
	if err := (historyHandler{b}).turn(r); err != nil {
		return err
	}
	c.turns.under.Wait()
	var s historyStatus
	c.turns.status(&s)
	if s.Error != "" {
		return fmt.Errorf("%s: %s", r.Action, s.Error)
	}
	return nil
}
