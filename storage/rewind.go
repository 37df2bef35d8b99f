package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// What Rewind and Restore report beside Open's errors.
var (
	// ErrNotKept says that the revision is not in the history that the file keeps.
	ErrNotKept = errors.New("it is not kept")
	errWriting = errors.New("storage: a write came while the cluster was to stand still")
)

// Save writes a consistent copy of the file, as of the newest durable revision, while
// the DB serves. A slow reader delays only the reuse of pages. It returns the revision.
func (db *DB) Save(ctx context.Context, w io.Writer) (rev int64, err error) {
	if err := db.Sync(ctx); err != nil {
		return 0, err
	}
	if err := db.flushMarks(); err != nil {
		return 0, err
	}
	err = db.view(func(tx *bbolt.Tx) error {
		rev, _ = bounds(tx)
		_, err := tx.WriteTo(w)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("storage: copy of %s: %w", db.cfg.Path, err)
	}
	return rev, nil
}

// flushMarks writes the marks that no commit has written yet. It leaves out marks of
// revisions that are not in the file yet: the commit of these revisions writes them.
func (db *DB) flushMarks() error {
	db.mu.Lock()
	n := 0
	for n < len(db.marks) && parseInt64(db.marks[n].key) <= db.committed.Load() {
		n++
	}
	marks := db.marks[:n:n]
	db.marks = db.marks[n:]
	db.mu.Unlock()
	if len(marks) == 0 {
		return nil
	}
	return db.update(func(tx *bbolt.Tx) error { return db.persistMarks(tx, marks) })
}

// Kept returns an error that wraps ErrNotKept if the history does not hold revision
// rev.
func (db *DB) Kept(rev int64) error {
	return db.view(func(tx *bbolt.Tx) error { return kept(tx, rev) })
}

func kept(tx *bbolt.Tx, rev int64) error {
	current, compacted := bounds(tx)
	if rev < max(compacted, firstRevision) || rev > current {
		return fmt.Errorf("revision %d: %w: history goes from %d to %d", rev, ErrNotKept, max(compacted, firstRevision), current)
	}
	if g := gapAt(tx, rev); rev < g.last {
		return fmt.Errorf("revision %d: %w: %d to %d were taken back by a rewind", rev, ErrNotKept, g.first, g.last)
	}
	return nil
}

// Rewind makes the state what it was at revision rev: the same objects, with their
// resourceVersions. History up to rev stays. Everything after it is deleted: its
// revisions, and one for the rewind itself, become a gap. Every watch ends with 410
// Gone. A client that resumes at a revision of the gap gets that too.
//
// The time of the state is that of its newest write or, if that is later, at. If later
// is not nil, marks of rev for which it reports true are deleted too.
//
// Nobody may write until Rewind returns. The error is that of Kept. A crash leaves the
// state before or after.
func (db *DB) Rewind(ctx context.Context, rev int64, at time.Time, later func(mark []byte) bool) error {
	return db.turnBack(ctx, func(tx *bbolt.Tx) error {
		if err := kept(tx, rev); err != nil {
			return err
		}
		current, _ := bounds(tx)
		stamp, err := cut(tx, rev)
		if err != nil {
			return err
		}
		if err := cutMarks(tx, rev, later); err != nil {
			return err
		}
		if !at.IsZero() {
			stamp = max(stamp, at.UnixNano())
		}
		gaps := slices.DeleteFunc(readGaps(tx), func(g gap) bool { return g.first > rev })
		return endGap(tx, gaps, gap{rev + 1, current + 1}, stamp)
	})
}

// Restore makes the state that of another file of our format, with its history. New
// revisions are above those of both files. Everything else is as for Rewind.
func (db *DB) Restore(ctx context.Context, path string) error {
	if err := verify(path); err != nil {
		return explain(path, err)
	}
	from, err := boltfile.Open(path, &bbolt.Options{ReadOnly: true, Timeout: boltfile.LockWait})
	if err != nil {
		return explain(path, err)
	}
	err = db.turnBack(ctx, func(tx *bbolt.Tx) error {
		before, _ := bounds(tx)
		return from.View(func(source *bbolt.Tx) error {
			if err := copyBuckets(tx, source); err != nil {
				return err
			}
			current, _ := bounds(tx)
			stamp := parseInt64(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaCurrent))[8:])
			return endGap(tx, readGaps(tx), gap{current + 1, max(before, current) + 1}, stamp)
		})
	})
	return errors.Join(err, from.Close())
}

// turnBack changes history in one transaction. Then it forgets everything that memory
// holds of it.
func (db *DB) turnBack(ctx context.Context, change func(*bbolt.Tx) error) error {
	db.compactions.Wait() // what they are to forget may come back
	db.compacting.Lock()
	defer db.compacting.Unlock()
	if err := errors.Join(db.Sync(ctx), db.flushMarks()); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.batch) > 0 || db.rev != db.committed.Load() {
		return errWriting
	}
	if db.failed != nil {
		return db.failed
	}
	if err := db.update(change); err != nil {
		return err
	}
	db.marks = nil
	db.cache.clear()
	if err := db.view(db.recall); err != nil {
		return explain(db.cfg.Path, err)
	}
	db.epoch.Add(1)
	clear(db.shelves)
	for _, s := range db.stores {
		err := db.view(func(tx *bbolt.Tx) error { return s.counts.load(tx, s) })
		if err != nil {
			return err
		}
		s.hub.reset(db.rev)
		db.shelves[s.prefix] = s.shelf
	}
	return nil
}

// cut removes everything after revision rev, and returns the time of the newest
// record that stays.
func cut(tx *bbolt.Tx, rev int64) (stamp int64, err error) {
	log, index, ttl := tx.Bucket([]byte(bucketLog)), tx.Bucket([]byte(bucketIndex)), tx.Bucket([]byte(bucketTTL))
	// This comes before anything is deleted: bbolt's Cursor.Last does not return from a
	// bucket that was emptied in the same transaction.
	if k, v := before(log.Cursor(), beUint64(rev+1)); k != nil {
		stamp = peekTime(v)
	}
	var gone []*record
	c := log.Cursor()
	for k, v := c.Seek(beUint64(rev + 1)); k != nil; k, v = c.Next() {
		r, err := decodeRecord(parseInt64(k), v)
		if err != nil {
			return 0, err
		}
		r.value = nil
		gone = append(gone, r)
	}
	for _, r := range gone {
		err := errors.Join(log.Delete(beUint64(r.rev)), index.Delete(indexKey(r.key, r.rev)))
		if err == nil && r.expiry != 0 {
			err = ttl.Delete(ttlKey(r.expiry, r.key))
		}
		if err != nil {
			return 0, err
		}
	}
	for _, r := range gone {
		if r.prevRev > rev || r.prevRev == 0 {
			continue
		}
		old, err := decodeRecord(r.prevRev, log.Get(beUint64(r.prevRev)))
		if err != nil {
			return 0, err
		}
		if old.expiry != 0 {
			if err := ttl.Put(ttlKey(old.expiry, old.key), beUint64(old.rev)); err != nil {
				return 0, err
			}
		}
	}
	// The next request that needs the counts counts again.
	return stamp, deleteRange(tx.Bucket([]byte(bucketStats)), nil, nil)
}

// endGap adds a gap. The gap's last revision becomes the newest of the file, at the
// time of the state that it has.
func endGap(tx *bbolt.Tx, gaps []gap, g gap, stamp int64) error {
	current := append(beUint64(g.last), beUint64(stamp)...)
	return errors.Join(
		tx.Bucket([]byte(bucketMeta)).Put([]byte(metaCurrent), current),
		writeGaps(tx, append(gaps, g)))
}

// copyBuckets replaces the content of to with that of from.
func copyBuckets(to, from *bbolt.Tx) error {
	for _, name := range buckets() {
		if err := to.DeleteBucket([]byte(name)); err != nil {
			return err
		}
		b, err := to.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		source := from.Bucket([]byte(name))
		if source == nil {
			continue // from is of an older format
		}
		b.FillPercent = logFill // in key order
		err = source.ForEach(func(k, v []byte) error { return b.Put(bytes.Clone(k), bytes.Clone(v)) })
		if err != nil {
			return err
		}
	}
	return to.Bucket([]byte(bucketMeta)).Put([]byte(metaFormat), beUint64(formatVersion))
}
