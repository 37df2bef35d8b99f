package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"k8s.io/apimachinery/pkg/watch"
)

// Replay calls f with the current state of every registered resource as Added
// commits in revision order: with them the engine's view begins. Call it before
// serving.
func (db *DB) Replay(f func(Commit) error) error {
	type at struct {
		rev   int64
		key   string
		store *Store
	}
	db.mu.Lock()
	stores := slices.Clone(db.stores)
	db.mu.Unlock()
	var live []at
	err := db.view(func(tx *bbolt.Tx) error {
		current, _ := bounds(tx)
		for _, s := range stores {
			scan(tx, s.root(), "", current, func(key []byte, rev int64) bool {
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
	obj, err := s.object(context.Background(), r)
	if err != nil {
		return fmt.Errorf("storage: %s at revision %d is unreadable: %w", key, rev, err)
	}
	return f(Commit{Revision: rev, Type: watch.Added, Resource: s.resource, Key: key, Object: obj})
}
