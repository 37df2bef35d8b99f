package storage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Version is one version of a key, as History returns it.
type Version struct {
	Revision int64
	// Type is Added, Modified or Deleted.
	Type watch.EventType
	// Key is the store's key, below the resource's prefix.
	Key string
	// Object is the state or, for Deleted, the last one, with this revision. It is
	// shared and must not be changed. It is nil if it is unreadable.
	Object runtime.Object
	// Time is when the version was written, by the cluster's clock. Actor is who wrote
	// it, as Config.Actor said; it is empty if Actor was not set then.
	Time  time.Time
	Actor string
	// Cut says that a compaction deleted an earlier version.
	Cut bool
}

// historyPage is roughly how many versions one transaction of History reads; see view.
// Unit: versions.
const historyPage = 2000

// History returns all kept versions, in revision order, of some keys of a resource:
// those that begin with prefix, below the resource's own, and of which at least one
// version matches. It reads all keys with the prefix, and nothing else. match gets the
// value as it was encoded, empty for a deletion, and must keep nothing of it.
func (db *DB) History(ctx context.Context, resource schema.GroupResource, prefix string, match func(key string, value []byte) bool) ([]Version, error) {
	s := db.resourceStore(resource)
	if s == nil {
		return nil, fmt.Errorf("storage: history of %s: no such resource", resource)
	}
	if err := db.Sync(ctx); err != nil {
		return nil, err
	}
	h := history{store: s, prefix: []byte(s.root() + prefix), match: match}
	for h.next = h.prefix; h.next != nil; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := db.view(h.page); err != nil {
			return nil, explain(db.cfg.Path, err)
		}
	}
	slices.SortFunc(h.found, func(a, b version) int { return cmp.Compare(a.rec.rev, b.rec.rev) })
	return h.versions(ctx)
}

func (db *DB) resourceStore(resource schema.GroupResource) *Store {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, s := range db.stores {
		if s.resource == resource {
			return s
		}
	}
	return nil
}

// version is a record and its predecessor, if that is kept.
type version struct {
	rec, prev *record
	cut       bool
}

// history is one call of History.
type history struct {
	store  *Store
	prefix []byte
	match  func(key string, value []byte) bool
	// next is where the next page begins; it is nil after the last page.
	next  []byte
	found []version
}

// page reads some keys, each with all of its versions.
func (h *history) page(tx *bbolt.Tx) error {
	c, log := tx.Bucket([]byte(bucketIndex)).Cursor(), tx.Bucket([]byte(bucketLog))
	_, compacted := bounds(tx)
	k, _ := c.Seek(h.next)
	for n := 0; k != nil && bytes.HasPrefix(k, h.prefix); {
		owner, _ := splitIndexKey(k)
		if owner == nil {
			return fmt.Errorf("index entry %q: %w", k, ErrCorrupt)
		}
		if n >= historyPage {
			h.next = bytes.Clone(k)
			return nil
		}
		var revs []int64
		key := string(owner)
		for ; k != nil; k, _ = c.Next() {
			owner, rev := splitIndexKey(k)
			if string(owner) != key {
				break
			}
			if rev <= compacted { // only the newest of these is history
				revs = revs[:0]
			}
			revs = append(revs, rev)
		}
		n += len(revs)
		if err := h.key(log, key, revs, compacted); err != nil {
			return err
		}
	}
	h.next = nil
	return nil
}

// key adds the versions of a key that matches.
func (h *history) key(log *bbolt.Bucket, key string, revs []int64, compacted int64) error {
	matches := slices.ContainsFunc(revs, func(rev int64) bool {
		v := log.Get(beUint64(rev))
		if len(v) < recordHeader || string(peekKey(v)) != key {
			return false // decodeRecord says what is wrong, if somebody wants it
		}
		_, value, ok := peekRest(v, []byte(key))
		return ok && h.match(key[len(h.store.root()):], value)
	})
	if !matches {
		return nil
	}
	var prev *record
	for _, rev := range revs {
		rec, err := decodeRecord(rev, log.Get(beUint64(rev)))
		if err != nil {
			return err
		}
		if rev > compacted || rec.kind != deleted {
			h.found = append(h.found, version{rec: rec, prev: prev, cut: prev == nil && rec.kind != created})
		}
		prev = rec
	}
	return nil
}

// versions decodes what was found.
func (h *history) versions(ctx context.Context) ([]Version, error) {
	out := make([]Version, 0, len(h.found))
	for _, v := range h.found {
		state := v.rec
		if state.kind == deleted {
			state = v.prev
		}
		one := Version{
			Revision: v.rec.rev, Type: v.rec.kind.eventType(), Key: v.rec.key[len(h.store.root()):],
			Time: time.Unix(0, v.rec.time).UTC(), Actor: v.rec.actor, Cut: v.cut,
		}
		if state != nil {
			obj, err := h.store.object(ctx, state)
			if err != nil {
				return nil, fmt.Errorf("storage: %s at revision %d is unreadable: %w", state.key, state.rev, err)
			}
			if state != v.rec {
				obj = h.store.withRevision(obj, v.rec.rev)
			}
			one.Object = obj
		}
		out = append(out, one)
	}
	return out, nil
}
