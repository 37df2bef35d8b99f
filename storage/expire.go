package storage

import (
	"context"
	"errors"
	"time"
)

// expiry is a key and the instant at which it is to be deleted.
type expiry struct {
	at  int64 // Unix ns
	key string
	rev int64
}

func (e expiry) before(o expiry) bool {
	if e.at != o.at {
		return e.at < o.at
	}
	return e.key < o.key
}

// NextExpiry returns the earliest instant at which a key with a TTL expires, and
// whether there is one.
func (db *DB) NextExpiry() (time.Time, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	e, ok := db.expiries.Min()
	return time.Unix(0, e.at).UTC(), ok
}

// Expire deletes the keys that have expired at now, ordered by instant and then by key.
// Whoever owns time calls it: no timer runs here. Like a write, it returns when the
// deletes are durable, or at once with a WithoutWait context.
func (db *DB) Expire(ctx context.Context, now time.Time) error {
	for {
		db.mu.Lock()
		e, ok := db.expiries.Min()
		db.mu.Unlock()
		if !ok || e.at > now.UnixNano() {
			return db.AwaitVisible(ctx)
		}
		if err := db.expire(ctx, e); err != nil {
			return err
		}
	}
}

// expire deletes e's key, unless it was written again in the meantime.
func (db *DB) expire(ctx context.Context, e expiry) error {
	s := db.storeOf(e.key)
	if s == nil { // a resource that this kubesim does not serve: let it be
		db.mu.Lock()
		defer db.mu.Unlock()
		db.expiries.Delete(e)
		return nil
	}
	r, err := db.pendingOrCommitted(e.key)
	if err != nil {
		return err
	}
	if r == nil || r.rev != e.rev {
		return nil // its expiry went with it
	}
	w := write{store: s, key: e.key, kind: deleted, prev: r}
	if obj, err := s.object(ctx, r); err == nil {
		w.prevObj, w.obj = obj, share(obj)
	}
	if _, _, err = db.assign(ctx, w); errors.Is(err, errConflict) {
		return nil
	}
	return err
}
