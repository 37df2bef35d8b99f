package cluster

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/customresourcedefinition"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/storage"
)

// How a cluster in a file goes on from where it stopped.

func commitOf(c storage.Commit, obj engine.Object) engine.Commit {
	return engine.Commit{Revision: c.Revision, Type: c.Type, Resource: engine.ResourceOf(c.Resource), Object: obj}
}

// checkpoint reads the engine's last checkpoint and the revision of it; nil if there is
// none. One that cannot be read is told and left aside: a cluster without it starts its
// containers anew, and that is better than none.
func (b *bolt) checkpoint() (*engine.Checkpoint, int64) {
	marks, at, err := b.db.Marks(b.db.Revision())
	if err == nil && (len(marks) == 0 || b.db.Compacted() > at) {
		return nil, 0
	}
	checkpoint := (*engine.Checkpoint)(nil)
	if err == nil {
		checkpoint, err = engine.ReadCheckpoint(marks)
	}
	if err != nil {
		b.c.warn(fmt.Sprintf("what the last run remembered is left aside, and containers start anew: %v", err))
		return nil, 0
	}
	return checkpoint, at
}

// goOn fills caches and view with what an earlier run has left: the engine's last
// checkpoint with the state of then, and after it, as news, what came later. A
// crash leaves some of that, a rewind may; without a checkpoint all is news.
func (b *bolt) goOn(ctx context.Context) error {
	defer func() { b.wentOn = true }()
	checkpoint, at := b.checkpoint()
	if checkpoint == nil {
		at = b.db.Revision()
	}
	if err := b.serveCustom(at); err != nil {
		return err
	}
	if checkpoint == nil {
		return b.db.Replay(at, b.recallAsNews)
	}
	var later []storage.Commit
	err := b.db.ReplayAfter(at, func(c storage.Commit) error {
		later = append(later, c)
		return nil
	})
	if err != nil {
		return err
	}
	err = b.engine.Restore(storage.WithoutWait(ctx), checkpoint, len(later) > 0, func(f func(engine.Commit)) error {
		return b.db.Replay(at, func(c storage.Commit) error {
			obj, err := b.ring.server.Observe(c.Resource, c.Type, c.Object)
			if err != nil {
				return err
			}
			commit := commitOf(c, obj)
			commit.Replayed = true
			f(commit)
			return nil
		})
	})
	for _, c := range later {
		if err == nil {
			err = b.recallAsNews(c)
		}
	}
	return err
}

// serveCustom opens the stores of custom resources, without which Replay leaves their
// objects out: those of the definitions at revision at, and those of later ones. The
// engine finds out by itself which of them have gone.
func (b *bolt) serveCustom(at int64) error {
	apply := func(c storage.Commit) error {
		obj, err := apiserver.Lean(c.Object)
		if err != nil {
			return err
		}
		return b.ring.server.Custom().Apply(obj.(*apiextensionsv1.CustomResourceDefinition))
	}
	definitions := customresourcedefinition.Definitions.GroupResource()
	if err := b.db.ReplayOf(definitions, at, apply); err != nil {
		return err
	}
	return b.db.ReplayAfter(at, func(c storage.Commit) error {
		if c.Resource != definitions || c.Type == watch.Deleted {
			return nil
		}
		return apply(c)
	})
}

// recallAsNews delivers a commit of an earlier run.
func (b *bolt) recallAsNews(c storage.Commit) error {
	obj, err := b.ring.server.Observe(c.Resource, c.Type, c.Object)
	if err != nil {
		return err
	}
	commit := commitOf(c, obj)
	commit.Replayed = true
	b.engine.Deliver(commit)
	return nil
}
