package storage

import (
	"context"
	"time"

	"go.etcd.io/bbolt"
)

// RevisionAt returns the newest revision written at or before t, so that the caller can
// compact by age. It is 0 if there is none in the log. Its cost grows with the
// logarithm of the number of revisions.
func (db *DB) RevisionAt(t time.Time) int64 {
	var rev int64
	err := db.Sync(context.Background())
	if err != nil {
		return 0 // nothing is written any more
	}
	err = db.view(func(tx *bbolt.Tx) error {
		rev = revisionAt(tx, t.UnixNano())
		return nil
	})
	if err != nil {
		return 0 // a damaged file: compact nothing
	}
	return rev
}

// revisionAt searches the log, whose times never go back. Unit of t: Unix ns.
func revisionAt(tx *bbolt.Tx, t int64) int64 {
	c := tx.Bucket([]byte(bucketLog)).Cursor()
	lo, hi := int64(0), int64(0) // newest known to be at or before t; oldest known to be after
	if k, _ := c.Last(); k != nil {
		hi = parseInt64(k) + 1
	}
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		// Compaction leaves gaps: the record at mid or the next one.
		k, v := c.Seek(beUint64(mid))
		if k == nil || parseInt64(k) >= hi {
			hi = mid
			continue
		}
		if peekTime(v) <= t {
			lo = parseInt64(k)
		} else {
			hi = mid
		}
	}
	return lo
}
