package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"go.etcd.io/bbolt"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// behindBytes and behindMax are how far an ephemeral file may lag behind until somebody
// needs it. A transaction for each write would cost more than everything else that the
// write does. Unit: encoded bytes, writes.
const (
	behindBytes = 256 << 10
	behindMax   = 512
)

// heldMax is how much garbage the writes that wait for an ephemeral file may hold,
// namely the versions that they replace or delete, until they need the file. At twice
// as much, writers wait for the file. Unit: encoded bytes.
const heldMax = 4 << 20

// gatherYields is how often a durable commit yields to writers without one more
// joining, before it begins. This takes some 10 us, a few percent of an fsync. With
// gatherMax writes it begins at once: a stream of writes that nobody waits for has no
// end.
const (
	gatherYields = 32
	gatherMax    = 128
)

// pendingMax bounds what may wait for a commit. Further writers wait, including those
// with WithoutWait. It also bounds how long a commit delays a list or these writers:
// some 30 ms. Unit: encoded bytes.
const pendingMax = 4 << 20

// logFill fills the log's pages, which only grow at their end; bbolt's default
// of 0.5 would leave half of each empty.
const logFill = 0.95

// write is one change to one key.
type write struct {
	store *Store
	key   string
	kind  kind
	// prev is the version from which the change was computed; nil if there was none.
	prev *record
	// prevObj is prev decoded, or nil if it could not be.
	prevObj kruntime.Object
	// value is obj encoded, or nil if the committer is to encode it.
	value []byte
	// obj is the new state or, for a delete, the last one. The write owns it, and it
	// gets its resourceVersion here. Nil if it could not be decoded.
	obj    kruntime.Object
	expiry int64
}

// assign gives w the next revision, tells the observers and queues it for the file. If
// the store is ephemeral, it also queues it for the watchers. The error is errConflict
// if w.prev is no longer the newest version.
func (db *DB) assign(ctx context.Context, w write) (*record, *round, error) {
	if err := db.awaitRoom(ctx); err != nil {
		return nil, nil, err
	}
	// A client that has disconnected writes nothing more; the engine finishes its step.
	if ctx.Value(withoutWaitKey{}) == nil && ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	rec, r, err := db.take(ctx, w)
	if err == nil && db.cfg.Ephemeral {
		w.store.hub.flush()
	}
	return rec, r, err
}

// take does assign's work under the write lock.
func (db *DB) take(ctx context.Context, w write) (*record, *round, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.failed != nil {
		return nil, nil, db.failed
	}
	if db.closed {
		return nil, nil, ErrClosed
	}
	if w.store.closed() {
		return nil, nil, fmt.Errorf("storage: %s: %w", w.store.resource, ErrWithdrawn)
	}
	if err := db.unchanged(w.key, w.prev); err != nil {
		return nil, nil, err
	}
	db.rev++
	db.stamp = max(db.stamp, db.cfg.Now().UnixNano(), 1) // 0 is no instant, see LastWrite
	rec := w.record(db.rev, db.stamp)
	rec.actor = db.actor(ctx)
	if w.obj != nil {
		// An object without metadata keeps no version; upstream's decoder
		// ignores that too.
		_ = storage.APIObjectVersioner{}.UpdateObject(w.obj, uint64(rec.rev))
		if rec.kind != deleted && w.store.plain() {
			rec.obj, rec.by, rec.retained = w.obj, w.store, db.retains(w.store)
		}
	}
	c := change{store: w.store, rec: rec, prev: w.prev}
	db.queue(c)
	db.tell(w, rec.rev)
	if db.cfg.Ephemeral {
		w.store.hub.add(c)
	}
	return rec, db.next, nil
}

// retains reports whether observers hold the objects of a resource.
func (db *DB) retains(s *Store) bool {
	return db.cfg.Retained != nil && db.cfg.Retained(s.resource)
}

// actor returns the author of a write with ctx.
func (db *DB) actor(ctx context.Context) string {
	if db.cfg.Actor == nil {
		return ""
	}
	actor := db.cfg.Actor(ctx)
	return actor[:min(len(actor), actorMax)]
}

func (w write) record(rev, stamp int64) *record {
	rec := &record{rev: rev, kind: w.kind, createRev: rev, time: stamp, key: w.key, value: w.value, expiry: w.expiry}
	if w.prev != nil {
		rec.createRev, rec.prevRev = w.prev.createRev, w.prev.rev
	}
	if w.value == nil && w.kind != deleted {
		rec.late, rec.guess = &late{store: w.store}, guessBytes
		if w.prev != nil {
			rec.guess = int(w.prev.size()) - recordHeader - len(w.key)
		}
	}
	return rec
}

// unchanged verifies that prev is the newest version of key. Needs mu.
func (db *DB) unchanged(key string, prev *record) error {
	cur, rev, err := db.newest(key)
	if err != nil {
		return err
	}
	if cur != nil {
		rev = cur.rev
		if cur.kind == deleted {
			rev = 0
		}
	}
	if (prev == nil && rev != 0) || (prev != nil && rev != prev.rev) {
		return errConflict
	}
	return nil
}

// newest returns the newest version of key. If it is not in memory, newest returns its
// revision, or 0 if the key does not exist. Needs mu.
func (db *DB) newest(key string) (*record, int64, error) {
	if r := db.overlay[key]; r != nil {
		return r, 0, nil
	}
	if r := db.cache.newest(key); r != nil {
		return r, 0, nil
	}
	var rev int64
	err := db.view(func(tx *bbolt.Tx) error {
		rev = latest(tx, key)
		return nil
	})
	return nil, rev, err
}

// queue makes c part of the next commit. Needs mu.
func (db *DB) queue(c change) {
	db.batch = append(db.batch, c)
	db.batchBytes += c.rec.size()
	if c.prev != nil {
		db.batchHeld += c.prev.size()
	}
	db.overlay[c.rec.key] = c.rec
	if c.prev != nil && c.prev.expiry != 0 {
		db.expiries.Delete(expiry{at: c.prev.expiry, key: c.prev.key})
	}
	if c.rec.expiry != 0 {
		db.expiries.ReplaceOrInsert(expiry{at: c.rec.expiry, key: c.rec.key, rev: c.rec.rev})
	}
	if !db.cfg.Ephemeral || db.batchBytes >= behindBytes || db.batchHeld >= heldMax || len(db.batch) >= behindMax {
		db.wakeCommitter()
	}
}

func (db *DB) wakeCommitter() {
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

// tell calls the observers. Needs mu.
func (db *DB) tell(w write, rev int64) {
	if len(db.observers) == 0 {
		return
	}
	c := Commit{
		Revision: rev, Type: w.kind.eventType(), Resource: w.store.resource, Key: w.key,
		Object: w.obj, Previous: w.prevObj,
	}
	for _, f := range db.observers {
		f(c)
	}
}

// awaitRoom waits while too much is pending.
func (db *DB) awaitRoom(ctx context.Context) error {
	for {
		db.mu.Lock()
		full, r := db.batchBytes > pendingMax || db.batchHeld > 2*heldMax, db.next
		db.mu.Unlock()
		if !full {
			return nil
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// commitLoop is the only goroutine that writes records to the file.
func (db *DB) commitLoop() {
	defer close(db.stopped)
	for {
		select {
		case <-db.wake:
			db.gather()
			db.commit()
		case <-db.stop:
			db.commit()
			return
		}
	}
}

// gather lets writers that are about to join the next commit do so. A commit wakes
// everybody who waited for it, and they write again. Without gather, the first of them
// would get an fsync of its own, and the others would wait for the next one.
func (db *DB) gather() {
	if db.cfg.Ephemeral {
		return
	}
	for idle, size := 0, 0; idle < gatherYields && size < gatherMax; idle++ {
		runtime.Gosched()
		db.mu.Lock()
		n := len(db.batch)
		db.mu.Unlock()
		if n > size {
			idle, size = 0, n
		}
	}
}

// commit writes everything that is pending in one transaction. Then it shows it to
// watchers and wakes its writers.
func (db *DB) commit() {
	db.mu.Lock()
	batch, marks, r := db.batch, db.marks, db.next
	if len(batch) == 0 || db.failed != nil {
		db.mu.Unlock()
		return
	}
	db.marks = nil
	db.batch, db.batchBytes, db.batchHeld, db.next, db.underway = nil, 0, 0, newRound(), r
	db.mu.Unlock()

	if err := db.persist(batch, marks); err != nil {
		db.fail(r, err)
		return
	}
	last := batch[len(batch)-1].rec.rev
	db.publish(batch, last)
	close(r.done)
}

// publish makes a committed batch visible to everybody who cannot see it yet.
func (db *DB) publish(batch []change, last int64) {
	for _, c := range batch {
		db.cache.replace(c.prev, c.rec.slim(c.store))
	}
	var touched []*Store
	for _, c := range batch {
		// In an ephemeral store, the watchers have it since it was assigned.
		if !db.cfg.Ephemeral && c.store.hub.add(c) {
			touched = append(touched, c.store)
		}
	}
	db.mu.Lock()
	for _, c := range batch {
		if db.overlay[c.rec.key] == c.rec {
			delete(db.overlay, c.rec.key)
		}
	}
	db.committed.Store(last)
	db.mu.Unlock()
	for _, s := range touched {
		s.hub.flush()
	}
}

// fail makes the DB refuse writes: observers have seen revisions that the file
// does not have.
func (db *DB) fail(r *round, err error) {
	err = fmt.Errorf("%w: %w", ErrFailed, explain(db.cfg.Path, err))
	db.mu.Lock()
	db.failed = err
	next := db.next
	db.mu.Unlock()
	r.err, next.err = err, err
	close(r.done)
	close(next.done)
	db.endWith(err)
}

// persist writes batch, and the marks so far, in one transaction.
func (db *DB) persist(batch []change, marks []mark) error {
	return db.transact(func(tx *bbolt.Tx) error {
		log, index, ttl := tx.Bucket([]byte(bucketLog)), tx.Bucket([]byte(bucketIndex)), tx.Bucket([]byte(bucketTTL))
		log.FillPercent = logFill
		for _, c := range batch {
			r := c.rec
			v, err := r.encode()
			if err == nil {
				err = log.Put(beUint64(r.rev), v)
			}
			if err == nil {
				err = index.Put(indexKey(r.key, r.rev), []byte{byte(r.kind)})
			}
			if err == nil && c.prev != nil && c.prev.expiry != 0 {
				err = ttl.Delete(ttlKey(c.prev.expiry, r.key))
			}
			if err == nil && r.expiry != 0 {
				err = ttl.Put(ttlKey(r.expiry, r.key), beUint64(r.rev))
			}
			if err != nil {
				return err
			}
		}
		last := batch[len(batch)-1].rec
		current := append(beUint64(last.rev), beUint64(last.time)...)
		return errors.Join(
			tx.Bucket([]byte(bucketMeta)).Put([]byte(metaCurrent), current),
			persistCounts(tx, batch),
			db.persistMarks(tx, marks))
	})
}
