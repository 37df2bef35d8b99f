package storage

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// compactChunk is how many revisions one transaction of Compact handles; a
// writer waits for at most one such transaction. Unit: revisions.
const compactChunk = 1000

// Compact deletes history below revision rev: reads and watches from before it get 410.
// Then it removes superseded versions and tombstones, in chunks. Writers continue
// between the chunks. If a crash or ctx interrupts it, the next call resumes.
//
// Deviation: it takes no revision; a compaction of etcd by upstream takes one.
func (db *DB) Compact(ctx context.Context, rev int64) error {
	db.compacting.Lock()
	defer db.compacting.Unlock()
	if newest := db.Revision(); rev > newest {
		return fmt.Errorf("storage: compact to revision %d: the newest is %d", rev, newest)
	}
	if err := db.Sync(ctx); err != nil {
		return err
	}
	if rev > db.compacted.Load() {
		err := db.update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaCompacted), beUint64(rev))
		})
		if err != nil {
			return explain(db.cfg.Path, err)
		}
		db.compacted.Store(rev)
	}
	for done := false; !done; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-db.stop:
			return ErrClosed
		default:
		}
		if err := db.Err(); err != nil {
			return err
		}
		err := db.update(func(tx *bbolt.Tx) (err error) {
			done, err = prune(tx)
			return err
		})
		if err != nil {
			return explain(db.cfg.Path, err)
		}
	}
	return nil
}

// CompactLater runs Compact in the background and returns at once. If it cannot finish,
// because the DB is closed or the disk is full, the next compaction resumes.
func (db *DB) CompactLater(rev int64) {
	db.compactions.Go(func() { _ = db.Compact(context.Background(), rev) })
}

// prune cleans up the next chunk of revisions up to the compacted one. It walks the
// log, not the keys. Each record there names the version that it superseded, so the
// cost is proportional to the deleted history.
func prune(tx *bbolt.Tx) (done bool, err error) {
	meta, log := tx.Bucket([]byte(bucketMeta)), tx.Bucket([]byte(bucketLog))
	_, compacted := bounds(tx)
	pruned := parseInt64(meta.Get([]byte(metaPruned)))
	if pruned >= compacted {
		return true, nil
	}
	upTo := min(pruned+compactChunk, compacted)
	var gone []*record
	c := log.Cursor()
	for k, v := c.Seek(beUint64(pruned + 1)); k != nil && parseInt64(k) <= upTo; k, v = c.Next() {
		r, err := decodeRecord(parseInt64(k), v)
		if err != nil {
			return false, err
		}
		if r.prevRev != 0 {
			gone = append(gone, &record{rev: r.prevRev, key: r.key})
		}
		if r.kind == deleted {
			gone = append(gone, r)
		}
	}
	index := tx.Bucket([]byte(bucketIndex))
	for _, r := range gone {
		if err := errors.Join(log.Delete(beUint64(r.rev)), index.Delete(indexKey(r.key, r.rev))); err != nil {
			return false, err
		}
	}
	if upTo == compacted {
		done, err = true, errors.Join(pruneMarks(tx, compacted), writeGaps(tx, readGaps(tx)))
	}
	return done, errors.Join(err, meta.Put([]byte(metaPruned), beUint64(upTo)))
}
