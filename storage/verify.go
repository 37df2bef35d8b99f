package storage

import (
	"bytes"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// verify reads all of a file and returns an error if it is damaged. If verify accepts a
// file, bbolt does not panic over it.
func verify(path string) error {
	return boltfile.Read(path, func(f *os.File, m boltfile.Meta, bolt *bbolt.DB) error {
		if problems := boltfile.Pages(f, m); len(problems) > 0 {
			return problems[0]
		}
		return bolt.View(func(tx *bbolt.Tx) error {
			if laidOut, err := checkFormat(tx); err != nil || !laidOut {
				return err
			}
			return verifyEntries(tx)
		})
	})
}

// tally is what verifyEntries compares between the buckets.
type tally struct {
	logged, indexed   int
	expiring, timed   int
	lastRev, lastTime int64
}

// verifyEntries finds entries that were changed or are missing, wherever a reader would
// miss them. Each record has its checksum. Index and ttl are compared with the log, and
// the log with the newest revision.
func verifyEntries(tx *bbolt.Tx) error {
	var t tally
	for _, pass := range []func(*bbolt.Tx) error{t.log, t.index, t.ttl, verifyMarks} {
		if err := pass(tx); err != nil {
			return err
		}
	}
	newest := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaCurrent))
	if len(newest) != 16 {
		return fmt.Errorf("meta has no current revision: %w", ErrCorrupt)
	}
	current, compacted := bounds(tx)
	stamp := parseInt64(newest[8:])
	switch {
	case t.logged != t.indexed:
		return fmt.Errorf("%d records in the log, %d in the index: %w", t.logged, t.indexed, ErrCorrupt)
	case t.expiring != t.timed:
		return fmt.Errorf("%d keys expire, %d are in ttl: %w", t.expiring, t.timed, ErrCorrupt)
	case t.lastRev > current, t.lastRev < current && current > max(compacted, firstRevision) && gapAt(tx, current).last != current:
		return fmt.Errorf("the newest revision is %d, in the log %d: %w", current, t.lastRev, ErrCorrupt)
	case t.lastRev == current && t.lastTime != stamp:
		return fmt.Errorf("the time of revision %d is %d, in the log %d: %w", current, stamp, t.lastTime, ErrCorrupt)
	}
	return nil
}

func (t *tally) log(tx *bbolt.Tx) error {
	return tx.Bucket([]byte(bucketLog)).ForEach(func(k, v []byte) error {
		r, err := decodeRecord(parseInt64(k), v)
		if err == nil {
			t.logged++
			t.lastRev, t.lastTime = r.rev, r.time
		}
		return err
	})
}

// index checks that each entry says what the log says. The versions of a key follow one
// another, so the last of them is the newest.
func (t *tally) index(tx *bbolt.Tx) error {
	log := tx.Bucket([]byte(bucketLog)).Cursor()
	var last []byte
	var expires bool
	count := func() {
		if expires {
			t.expiring++
		}
	}
	err := tx.Bucket([]byte(bucketIndex)).ForEach(func(k, v []byte) error {
		key, rev := splitIndexKey(k)
		found, r := log.Seek(beUint64(rev))
		if parseInt64(found) != rev || len(v) != 1 || len(r) < recordHeader || kind(v[0]) != peekKind(r) || !bytes.Equal(key, peekKey(r)) || k[len(key)] != 0 {
			return fmt.Errorf("index of %q at revision %d is not what the log says: %w", key, rev, ErrCorrupt)
		}
		if !bytes.Equal(key, last) {
			count()
		}
		last, expires = key, peekExpiry(r) != 0
		t.indexed++
		return nil
	})
	count()
	return err
}

func (t *tally) ttl(tx *bbolt.Tx) error {
	log := tx.Bucket([]byte(bucketLog))
	return tx.Bucket([]byte(bucketTTL)).ForEach(func(k, v []byte) error {
		r := log.Get(v)
		if len(r) < recordHeader || !bytes.Equal(k, ttlKey(peekExpiry(r), string(peekKey(r)))) {
			return fmt.Errorf("ttl of %q is not what the log says: %w", k, ErrCorrupt)
		}
		t.timed++
		return nil
	})
}

func verifyMarks(tx *bbolt.Tx) error {
	marks := tx.Bucket([]byte(bucketMarks))
	if marks == nil {
		return nil // the file is of format 1
	}
	return marks.ForEach(func(k, v []byte) error {
		_, _, err := decodeMark(k, v)
		return err
	})
}
