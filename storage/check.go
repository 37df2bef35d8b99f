package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// checker collects the problems of one snapshot of the file.
type checker struct {
	ctx                        context.Context
	tx                         *bbolt.Tx
	current, compacted, pruned int64
	problems                   []error
	logged, indexed, timed     int
	live                       int64
}

// Check verifies the invariants of the file: bbolt's pages are sound; revisions are
// dense; log, index, ttl and stats agree; nothing is left that compaction has removed.
// The error joins the problems and wraps ErrCorrupt. Check also verifies that nobody
// changed a shared object in memory. Commits wait until it returns.
func (db *DB) Check(ctx context.Context) error {
	db.compacting.Lock()
	defer db.compacting.Unlock()
	err := db.holdStill(func(tx *bbolt.Tx) error {
		c := newChecker(ctx, tx)
		if err := c.run(func(string) {}); err != nil || len(c.problems) == 0 {
			return err
		}
		return fmt.Errorf("%w: %w", ErrCorrupt, errors.Join(c.problems...))
	})
	if errors.Is(err, ErrCorrupt) {
		return explain(db.cfg.Path, err)
	}
	return errors.Join(err, db.checkShared())
}

// holdStill runs f while nobody writes. bbolt compares the pages of f's snapshot with
// the free pages, and has only the newest list of these.
func (db *DB) holdStill(f func(*bbolt.Tx) error) error {
	return boltfile.Guard(func() error {
		tx, err := db.bolt.Begin(true)
		if err != nil {
			return err
		}
		return errors.Join(f(tx), tx.Rollback())
	})
}

// checkShared verifies that nobody changed an object of the cache. That is an
// error in the program, not in the file.
func (db *DB) checkShared() error {
	var problems []error
	for _, r := range db.cache.all() {
		s := db.storeOf(r.key)
		if s == nil || s != r.by || len(problems) == boltfile.ProblemsMax {
			continue
		}
		value, err := r.encoded()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		fresh, err := s.decode(value, r.rev)
		if err == nil && !apiequality.Semantic.DeepEqual(fresh, r.obj) {
			problems = append(problems, fmt.Errorf("storage: the shared object of %s at revision %d was changed: %s",
				r.key, r.rev, diff.Diff(fresh, r.obj)))
		}
	}
	return errors.Join(problems...)
}

func newChecker(ctx context.Context, tx *bbolt.Tx) *checker {
	c := &checker{ctx: ctx, tx: tx}
	c.current, c.compacted = bounds(tx)
	c.pruned = parseInt64(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaPruned)))
	return c
}

// run collects problems. It tells progress what it checks next.
func (c *checker) run(progress func(what string)) error {
	for _, step := range []struct {
		what string
		look func()
	}{
		{"bbolt's pages", c.pages}, {bucketMeta, c.meta}, {bucketLog, c.log}, {bucketIndex, c.index}, {bucketTTL, c.ttl}, {bucketStats, c.stats}, {bucketMarks, c.marks},
	} {
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		progress(step.what)
		step.look()
	}
	return nil
}

func (c *checker) pages() {
	for _, err := range boltfile.Check(c.tx) {
		c.wrong("%w", err)
	}
}

func (c *checker) meta() {
	if c.pruned > c.compacted || c.compacted > c.current {
		c.wrong("pruned %d, compacted %d, current %d are out of order", c.pruned, c.compacted, c.current)
	}
	if err := verifyEntries(c.tx); err != nil {
		c.wrong("%w", err)
	}
}

func (c *checker) wrong(format string, args ...any) {
	if len(c.problems) < boltfile.ProblemsMax {
		c.problems = append(c.problems, fmt.Errorf(format, args...))
	}
}

// log checks that every record is whole and indexed, that none is missing above the
// compacted revision, that versions refer to their predecessors, and that times do not
// go back.
func (c *checker) log() {
	index := c.tx.Bucket([]byte(bucketIndex))
	want := max(c.compacted, firstRevision) + 1
	var stamp int64
	cur := c.tx.Bucket([]byte(bucketLog)).Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		rev := parseInt64(k)
		r, err := decodeRecord(rev, v)
		if err != nil {
			c.wrong("%w", err)
			continue
		}
		c.logged++
		if rev >= want {
			if want = c.beyondGaps(want); rev != want {
				c.wrong("revisions %d to %d are missing", want, rev-1)
			}
			want = rev + 1
		}
		if i := index.Get(indexKey(r.key, rev)); !bytes.Equal(i, []byte{byte(r.kind)}) {
			c.wrong("revision %d of %s is kind %d in the log, %v in the index", rev, r.key, r.kind, i)
		}
		if (r.kind == created) != (r.prevRev == 0) || r.prevRev >= rev || r.createRev > rev {
			c.wrong("revision %d of %s: kind %d, created at %d, before it %d", rev, r.key, r.kind, r.createRev, r.prevRev)
		}
		if r.time < stamp {
			c.wrong("revision %d is older than the one before it", rev)
		}
		stamp = r.time
	}
	if want = c.beyondGaps(want); want <= c.current {
		c.wrong("revisions %d to %d are missing", want, c.current)
	}
}

// beyondGaps returns rev or, if that was taken back, the first revision after it
// that was not.
func (c *checker) beyondGaps(rev int64) int64 {
	for g := gapAt(c.tx, rev); g.last >= rev; g = gapAt(c.tx, rev) {
		rev = g.last + 1
	}
	return rev
}

// index checks that each key's versions follow one another. Of the versions that
// compaction has passed, at most one is left, and no tombstone.
func (c *checker) index() {
	log := c.tx.Bucket([]byte(bucketLog))
	var last string
	var lastRev int64
	var old int
	err := c.tx.Bucket([]byte(bucketIndex)).ForEach(func(k, _ []byte) error {
		key, rev := splitIndexKey(k)
		c.indexed++
		if string(key) != last {
			last, lastRev, old = string(key), 0, 0
		}
		r, err := decodeRecord(rev, log.Get(beUint64(rev)))
		if err != nil {
			c.wrong("index of %s: %w", key, err)
			return nil
		}
		if r.prevRev != 0 && r.prevRev != lastRev && r.prevRev > c.pruned {
			c.wrong("%s: before revision %d comes %d, not %d", key, rev, r.prevRev, lastRev)
		}
		if rev <= c.pruned {
			if old++; old > 1 || r.kind == deleted {
				c.wrong("%s: revision %d is left over from compaction at %d", key, rev, c.pruned)
			}
		}
		lastRev = rev
		return nil
	})
	if err != nil {
		c.wrong("index: %w", err)
	}
	if c.logged != c.indexed {
		c.wrong("%d records in the log, %d in the index", c.logged, c.indexed)
	}
}

// ttl checks that the keys that expire are those whose newest version says so.
func (c *checker) ttl() {
	log := c.tx.Bucket([]byte(bucketLog))
	err := c.tx.Bucket([]byte(bucketTTL)).ForEach(func(k, v []byte) error {
		c.timed++
		rev := parseInt64(v)
		r, err := decodeRecord(rev, log.Get(beUint64(rev)))
		if err != nil || !bytes.Equal(k, ttlKey(r.expiry, r.key)) || latest(c.tx, r.key) != rev {
			c.wrong("ttl of %q at revision %d does not belong to a live version", k[8:], rev)
		}
		return nil
	})
	if err != nil {
		c.wrong("ttl: %w", err)
	}
	expiring := 0
	scan(c.tx, "", "", c.current, func(_ []byte, rev int64) bool {
		c.live++
		if r, err := decodeRecord(rev, log.Get(beUint64(rev))); err == nil && r.expiry != 0 {
			expiring++
		}
		return true
	})
	if expiring != c.timed {
		c.wrong("%d keys expire, %d are in ttl", expiring, c.timed)
	}
}

// marks checks that marks are whole, belong to existing revisions, and follow a full
// one.
func (c *checker) marks() {
	marks := c.tx.Bucket([]byte(bucketMarks))
	if marks == nil {
		return // the file is of format 1
	}
	based := false
	err := marks.ForEach(func(k, v []byte) error {
		full, _, err := decodeMark(k, v)
		if err != nil {
			return err
		}
		if based = based || full; !based || parseInt64(k) > c.current {
			c.wrong("mark %x stands alone, or above revision %d", k, c.current)
		}
		return nil
	})
	if err != nil {
		c.wrong("marks: %w", err)
	}
}

// stats checks that the counts are those of the live keys.
func (c *checker) stats() {
	err := c.tx.Bucket([]byte(bucketStats)).ForEach(func(k, v []byte) error {
		keys, size, err := takeCounts(c.tx, string(k))
		if err != nil {
			return err
		}
		if !bytes.Equal(v, append(beUint64(keys), beUint64(size)...)) {
			c.wrong("stats of %s: want %d keys, %d bytes", k, keys, size)
		}
		return nil
	})
	if err != nil {
		c.wrong("stats: %w", err)
	}
}
