package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/internal/history"
	"github.com/kubesim-dev/kubesim/storage"
)

// Past is the history of a cluster, to which it can go back.
type Past struct {
	c *Cluster
	kept
}

// Past returns the history, if the cluster keeps its own.
func (c *Cluster) Past() (*Past, error) {
	kept, err := c.ring.Load().backend.kept()
	if err != nil {
		return nil, err
	}
	return &Past{c, kept}, nil
}

// Revision is the present one.
func (p *Past) Revision() int64 { return p.revision() }

// Snapshots lists them by revision, then by name.
func (p *Past) Snapshots() ([]history.Snapshot, error) { return p.c.files().Snapshots() }

// Save keeps the present state as a snapshot; without a name it is called after its
// revision.
func (p *Past) Save(ctx context.Context, name string) (history.Snapshot, error) {
	return p.save(ctx, name)
}

// Delete removes a snapshot.
func (p *Past) Delete(name string) error { return p.c.files().Delete(name) }

// BeginRewind begins to take the cluster back, see Cluster.Rewind. It goes on after the
// return: the very server that was asked has to end for it. Revert tells how.
func (p *Past) BeginRewind(to string) error { return p.begin(p.rewind(to)) }

// BeginRestore begins to take the cluster back, see Cluster.Restore and BeginRewind.
func (p *Past) BeginRestore(name string) error { return p.begin(p.restore(name)) }

// Revert is the last one, which may be under way.
func (p *Past) Revert() Revert { return p.c.reverts.last() }

// Save keeps the present state of the cluster as a snapshot under name, and returns
// its revision. A name that is taken is an error.
func (c *Cluster) Save(ctx context.Context, name string) (int64, error) {
	p, err := c.Past()
	if err != nil {
		return 0, err
	}
	saved, err := p.Save(ctx, name)
	return saved.Revision, err
}

// Restore takes the cluster back to a snapshot: objects, clock, queue, random
// source and running programs. It ends connections and Client; RESTConfig goes on.
// In mode auto the clock is paused afterwards if work is under way.
func (c *Cluster) Restore(name string) error {
	return c.takeBack(func(p *Past) (change, error) { return p.restore(name) })
}

// Rewind takes the cluster back to a revision, such as "1234", or by a duration of
// virtual time, such as "10m"; see Restore.
func (c *Cluster) Rewind(to string) error {
	return c.takeBack(func(p *Past) (change, error) { return p.rewind(to) })
}

func (c *Cluster) takeBack(how func(*Past) (change, error)) error {
	p, err := c.Past()
	if err != nil {
		return err
	}
	change, err := how(p)
	if err == nil {
		err = p.claim(change)
	}
	if err != nil {
		return err
	}
	if err := p.do(change); err != nil {
		return fmt.Errorf("%s: %w", change.verb, err)
	}
	return nil
}

// Restart stops the cluster and starts it again, as a server that is started again on
// its data directory: nothing of what happens next depends on it. It ends connections
// and Client; RESTConfig goes on.
func (c *Cluster) Restart() error {
	t, err := c.timed()
	if err != nil {
		return err
	}
	if err := c.reverts.begin(); err != nil {
		return err
	}
	err = c.reassemble(t, func() error { return nil }, func(e *engine.Engine) error { return e.Resume(c.ctx) })
	c.reverts.done(history.Reverted{}, err)
	return err
}

// change is what taking the cluster back does to its file.
type change struct {
	verb, to string
	apply    func(*storage.DB) error
}

func (p *Past) rewind(to string) (change, error) {
	moment, err := p.past(to)
	return change{"rewind", to, func(db *storage.DB) error { return history.Rewind(p.c.ctx, db, moment) }}, err
}

func (p *Past) restore(name string) (change, error) {
	path, err := p.c.files().Existing(name)
	return change{"restore", name, func(db *storage.DB) error { return db.Restore(p.c.ctx, path) }}, err
}

func (p *Past) begin(c change, err error) error {
	if err == nil {
		err = p.claim(c)
	}
	if err == nil {
		go func() { _ = p.do(c) }() // Revert tells
	}
	return err
}

// claim claims the revert, and lets the recorder know.
func (p *Past) claim(c change) error {
	if err := p.c.reverts.begin(); err != nil {
		return err
	}
	if r := p.c.options.Recorder; r != nil {
		r.TakenBack(c.verb + " " + c.to)
	}
	return nil
}

// do takes the ring apart, changes the file, and puts another ring together. Writes that
// were acknowledged before are in the snapshot that it keeps.
//
// Its clock stands still in the meantime. In mode auto it stays paused if work is under
// way: else all would have happened again before anybody could look.
func (p *Past) do(change change) error {
	c := p.c
	var result history.Reverted
	err := c.reassemble(p, func() (err error) {
		result, err = c.files().Revert(c.ctx, c.options.Ephemeral, change.apply)
		return err
	}, func(e *engine.Engine) (err error) {
		result.Paused, err = resumeUnlessWorking(c.ctx, e)
		return err
	})
	c.reverts.done(result, err)
	return err
}

// reassemble takes the ring apart, does something, puts another together with its
// clock paused, whatever became of that, and resumes if it was not paused before.
func (c *Cluster) reassemble(t timed, do func() error, resume func(*engine.Engine) error) error {
	status := t.clock().Status()
	c.ring.Load().takeApart()
	err := do()
	startErr := c.assemble(life{mode: status.Mode, speed: status.Speed, again: true})
	if startErr == nil && !status.Paused {
		if t, startErr = c.timed(); startErr == nil {
			startErr = resume(t.clock())
		}
	}
	if startErr != nil {
		c.fail(startErr)
	}
	return errors.Join(err, startErr)
}

// resumeUnlessWorking reports whether the clock stays paused.
func resumeUnlessWorking(ctx context.Context, e *engine.Engine) (paused bool, err error) {
	if err := e.AwaitRest(ctx); err != nil {
		return false, err
	}
	if status := e.Status(); status.Mode == engine.Auto && status.Working {
		return true, nil
	}
	return false, e.Resume(ctx)
}
