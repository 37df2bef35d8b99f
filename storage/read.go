package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

// stepsBeforeSeek is how many versions of a key a scan steps over before it seeks. A
// step is cheap, but a hot key may have a million versions.
const stepsBeforeSeek = 8

// view runs f in a read transaction. f must be short, because a long reader blocks the
// commit that makes the file grow.
func (db *DB) view(f func(*bbolt.Tx) error) error {
	return db.noteDamage(boltfile.Guard(func() error { return db.bolt.View(f) }))
}

// update runs f in a write transaction.
func (db *DB) update(f func(*bbolt.Tx) error) error { return db.noteDamage(db.transact(f)) }

// transact replaces bbolt's DB.Update. Over a damaged page, that would look for free
// pages on a goroutine of its own and end the process there.
func (db *DB) transact(f func(*bbolt.Tx) error) error {
	return boltfile.Guard(func() error {
		tx, err := db.bolt.Begin(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after Commit it does nothing
		if err := f(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// noteDamage ends the process, through Config.OnFatal, if the file was damaged while it
// was open: nothing that it says can be relied on.
func (db *DB) noteDamage(err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	err = explain(db.cfg.Path, err)
	db.endWith(err)
	return err
}

// endWith calls Config.OnFatal, once.
func (db *DB) endWith(err error) {
	db.fatal.Do(func() {
		if db.cfg.OnFatal != nil {
			go db.cfg.OnFatal(err)
		}
	})
}

// awaitVisible waits until revision rev is committed, unless ctx sees it before that. Call it
// before an answer that reveals an uncommitted version.
func (db *DB) awaitVisible(ctx context.Context, rev int64) error {
	if rev <= db.committed.Load() || db.ahead(ctx) {
		return nil
	}
	return db.Sync(ctx)
}

// AwaitVisible returns when a client may be told of everything that is assigned so far. In an
// ephemeral store, or with a WithoutWait context, that is at once; otherwise when it is
// durable.
func (db *DB) AwaitVisible(ctx context.Context) error {
	if db.ahead(ctx) {
		return nil
	}
	return db.Sync(ctx)
}

// flushed waits until the file holds all that ctx sees. Call it before reading
// more than one key.
func (db *DB) flushed(ctx context.Context) error {
	if db.ahead(ctx) {
		return db.Sync(ctx)
	}
	return nil
}

// pending returns the newest version of key if it may not be committed yet, or
// nil.
func (db *DB) pending(key string) *record {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.overlay[key]
}

// pendingOrCommitted returns the newest version of key, including uncommitted ones, or
// nil.
func (db *DB) pendingOrCommitted(key string) (*record, error) {
	if r := db.pending(key); r != nil {
		return r, nil
	}
	if r := db.cache.newest(key); r != nil {
		return r, nil
	}
	return db.filed(key)
}

// committedRecord returns the newest committed version of key, or nil.
func (db *DB) committedRecord(key string) (*record, error) {
	// A pending version may already be committed; only the file knows.
	if db.pending(key) == nil {
		if r := db.cache.newest(key); r != nil {
			return r, nil
		}
	}
	return db.filed(key)
}

// filed returns the newest version of key in the file, or nil.
func (db *DB) filed(key string) (r *record, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		if rev := latest(tx, key); rev != 0 {
			r, err = db.version(tx, key, rev)
			return err
		}
		return nil
	})
	return r, err
}

// version returns key's version of revision rev from the cache or the log.
func (db *DB) version(tx *bbolt.Tx, key string, rev int64) (*record, error) {
	r, err := db.logged(tx, rev)
	if err == nil && r.key != key {
		err = misplaced(r, key)
	}
	return r, err
}

// logged returns revision rev from the cache or the log.
func (db *DB) logged(tx *bbolt.Tx, rev int64) (*record, error) {
	if r := db.cache.get(rev); r != nil {
		return r, nil
	}
	v := tx.Bucket([]byte(bucketLog)).Get(beUint64(rev))
	if v == nil {
		return nil, fmt.Errorf("revision %d is indexed but not in the log: %w", rev, ErrCorrupt)
	}
	return decodeRecord(rev, v)
}

func misplaced(r *record, key string) error {
	return fmt.Errorf("revision %d is indexed as %s but is of %s: %w", r.rev, key, r.key, ErrCorrupt)
}

// bounds returns the newest and the compacted revision of the snapshot tx.
func bounds(tx *bbolt.Tx) (current, compacted int64) {
	meta := tx.Bucket([]byte(bucketMeta))
	return parseInt64(meta.Get([]byte(metaCurrent))), parseInt64(meta.Get([]byte(metaCompacted)))
}

// latest returns the revision of the newest committed version of key, or 0 if
// there is none or it is a tombstone. Its cost does not depend on the number of
// versions.
func latest(tx *bbolt.Tx, key string) int64 {
	return at(tx.Bucket([]byte(bucketIndex)).Cursor(), key, -1)
}

// at returns the revision of key's version as of revision rev, or 0 if it did not exist
// then. If rev is -1, it returns the newest.
func at(c *bbolt.Cursor, key string, rev int64) int64 {
	// As an unsigned number, -1 sorts after every revision.
	after := int64(-1)
	if rev >= 0 {
		after = rev + 1
	}
	k, v := before(c, indexKey(key, after))
	if k == nil {
		return 0
	}
	if owner, found := splitIndexKey(k); string(owner) == key && kind(v[0]) != deleted {
		return found
	}
	return 0
}

// before moves c to the last key before key, nil if there is none.
func before(c *bbolt.Cursor, key []byte) (k, v []byte) {
	if k, _ := c.Seek(key); k == nil {
		return c.Last() // from past the end, Prev does not come back
	}
	return c.Prev()
}

// scan visits, in key order, each key that begins with prefix, is not below from, and
// exists at revision rev. The key that visit gets aliases the file. visit returns false
// to stop.
func scan(tx *bbolt.Tx, prefix, from string, rev int64, visit func(key []byte, rev int64) bool) {
	c := tx.Bucket([]byte(bucketIndex)).Cursor()
	p := []byte(prefix)
	start := []byte(prefix)
	if from > prefix {
		start = fromKey(from)
	}
	k, v := c.Seek(start)
	for k != nil && bytes.HasPrefix(k, p) {
		key, _ := splitIndexKey(k)
		if key == nil {
			return
		}
		var found int64
		found, k, v = step(c, key, k, v, rev)
		if found != 0 && !visit(key, found) {
			return
		}
	}
}

// fromKey returns where a scan from key on begins. A key never contains 0x00. A
// continue token is the last key plus 0x00, that is, the least key after it.
func fromKey(from string) []byte {
	if n := len(from) - 1; n >= 0 && from[n] == 0 {
		return append([]byte(from[:n]), 1)
	}
	return []byte(from)
}

// step returns key's revision at rev (0: it did not exist), and the first
// index entry of the next key. c stands at key's first version, k and v.
func step(c *bbolt.Cursor, key, k, v []byte, rev int64) (found int64, nk, nv []byte) {
	for range stepsBeforeSeek {
		owner, r := splitIndexKey(k)
		if k == nil || !bytes.Equal(owner, key) {
			return found, k, v
		}
		if r <= rev {
			found = r
			if kind(v[0]) == deleted {
				found = 0
			}
		}
		k, v = c.Next()
	}
	if owner, r := splitIndexKey(k); k != nil && bytes.Equal(owner, key) && r <= rev {
		found = at(c, string(key), rev)
	}
	k, v = c.Seek(append(bytes.Clone(key), 1))
	return found, k, v
}
