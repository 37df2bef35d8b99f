package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Replay calls f with the state of every registered resource at revision rev, as Added
// commits in revision order. The engine's view begins with them. Call it before
// serving.
func (db *DB) Replay(rev int64, f func(Commit) error) error {
	db.mu.Lock()
	stores := slices.Clone(db.stores)
	db.mu.Unlock()
	return db.replay(stores, rev, f)
}

// ReplayOf is Replay for one resource.
func (db *DB) ReplayOf(resource schema.GroupResource, rev int64, f func(Commit) error) error {
	s := db.resourceStore(resource)
	if s == nil {
		return fmt.Errorf("storage: replay of %s: no such resource", resource)
	}
	return db.replay([]*Store{s}, rev, f)
}

// Recall calls f with the state of one resource, as Replay does. It is for a resource
// that is opened while the DB serves. Nobody may write to the resource until it returns.
func (db *DB) Recall(ctx context.Context, resource schema.GroupResource, f func(Commit) error) error {
	s := db.resourceStore(resource)
	if s == nil {
		return fmt.Errorf("storage: recall of %s: no such resource", resource)
	}
	if err := db.Sync(ctx); err != nil {
		return err
	}
	return db.replay([]*Store{s}, db.committed.Load(), f)
}

func (db *DB) replay(stores []*Store, rev int64, f func(Commit) error) error {
	type at struct {
		rev   int64
		key   string
		store *Store
	}
	var live []at
	err := db.view(func(tx *bbolt.Tx) error {
		for _, s := range stores {
			scan(tx, s.root(), "", rev, func(key []byte, rev int64) bool {
				live = append(live, at{rev, string(key), s})
				return true
			})
		}
		return nil
	})
	slices.SortFunc(live, func(a, b at) int { return cmp.Compare(a.rev, b.rev) })
	for _, e := range live {
		if err == nil {
			err = db.replayOne(e.store, e.key, e.rev, f)
		}
	}
	return err
}

// replayOne tells f of key's version of revision rev.
func (db *DB) replayOne(s *Store, key string, rev int64, f func(Commit) error) error {
	var r *record
	err := db.view(func(tx *bbolt.Tx) (err error) {
		r, err = db.version(tx, key, rev)
		return err
	})
	if err != nil {
		return explain(db.cfg.Path, err)
	}
	if r.obj == nil { // so nobody else has the record
		r.retained = db.retains(s)
	}
	obj, err := s.object(context.Background(), r)
	if err != nil {
		return fmt.Errorf("storage: %s at revision %d is unreadable: %w", key, rev, err)
	}
	return f(Commit{Revision: rev, Type: watch.Added, Resource: s.resource, Key: key, Object: obj})
}

// ReplayAfter calls f with every commit to a registered resource after revision
// rev, which must not be below the compacted one.
func (db *DB) ReplayAfter(rev int64, f func(Commit) error) error {
	if rev < db.compacted.Load() {
		return fmt.Errorf("storage: replay after revision %d: %w", rev, errCompacted)
	}
	for last := db.committed.Load(); rev < last; rev = min(rev+logPageMax, last) {
		commits, err := db.commitsAfter(rev, min(rev+logPageMax, last))
		if err != nil {
			return explain(db.cfg.Path, err)
		}
		for _, c := range commits {
			if err := f(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// commitsAfter returns the commits in (after, upTo].
func (db *DB) commitsAfter(after, upTo int64) ([]Commit, error) {
	var changes []change
	err := db.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketLog)).Cursor()
		for k, v := c.Seek(beUint64(after + 1)); k != nil && parseInt64(k) <= upTo; k, v = c.Next() {
			s := db.storeOf(string(peekKey(v)))
			if s == nil {
				continue
			}
			ch, err := s.changeAt(tx, parseInt64(k), v)
			if err != nil {
				return err
			}
			changes = append(changes, ch)
		}
		return nil
	})
	commits := make([]Commit, 0, len(changes))
	for _, ch := range changes {
		if err != nil {
			break
		}
		var c Commit
		c, err = ch.commit()
		commits = append(commits, c)
	}
	return commits, err
}

// commit decodes a change of the log.
func (ch change) commit() (c Commit, err error) {
	ctx := context.Background()
	c = Commit{Revision: ch.rec.rev, Type: ch.rec.kind.eventType(), Resource: ch.store.resource, Key: ch.rec.key}
	if ch.prev != nil {
		if c.Previous, err = ch.store.object(ctx, ch.prev); err != nil {
			return c, err
		}
	}
	if ch.rec.kind == deleted {
		c.Object = ch.store.withRevision(c.Previous, ch.rec.rev)
		return c, nil
	}
	c.Object, err = ch.store.object(ctx, ch.rec)
	return c, err
}
