package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/btree"
	"go.etcd.io/bbolt"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// DefaultCacheBytes bounds the decoded-object cache when Config.CacheBytes is
// zero. Unit: encoded bytes; decoded they take some three to five times that.
const DefaultCacheBytes = 32 << 20

// Config is what Open needs.
type Config struct {
	// Path is the bbolt file. It is created if it is missing; its directory is not.
	Path string
	// Ephemeral leaves out every fsync and lets the file lag behind. A write is
	// answered, and everybody sees it, as soon as it has its revision. A crash of the
	// process loses the newest writes. A crash of the machine may damage the file.
	Ephemeral bool
	// Now is the clock that expires TTLs and stamps revisions. It is called under the
	// write lock and must not call back into the DB. Required.
	Now func() time.Time
	// Actor, if set, returns the author of a write, given the write's context. The first
	// actorMax bytes are kept with the revision; see History. It is called under the
	// write lock and must not call back into the DB.
	Actor func(context.Context) string
	// Retained, if set, says whether the observers hold the objects of a resource for
	// as long as these are the newest. Such objects cost little more when they are kept
	// decoded. It is called under the write lock and must not call back into the DB.
	Retained func(schema.GroupResource) bool
	// CacheBytes bounds the cache of decoded objects. Unit: encoded bytes. Zero means
	// DefaultCacheBytes; a negative number means no cache.
	CacheBytes int64
	// CheckKept verifies that each object that is kept as given is the same after
	// encoding and decoding. It panics if not. For tests.
	CheckKept bool
	// OnFatal, if set, is called once, on its own goroutine, when a commit fails. The
	// DB then takes no more writes, and the process should exit. If the error wraps
	// ErrCorrupt, the file was damaged while it was open, and the process should exit
	// without Close.
	OnFatal func(error)
}

func (c Config) validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("storage: Config.Path is empty: want the path of a file"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("storage: Config.Now is nil: want the cluster's clock"))
	}
	return errors.Join(errs...)
}

// Commit is one write, as observers see it. Its objects are shared: they must
// not be changed.
type Commit struct {
	Revision int64
	// Type is Added, Modified or Deleted.
	Type     watch.EventType
	Resource schema.GroupResource
	Key      string
	// Object carries the resourceVersion of this write. For Deleted it is the last
	// state. It is nil if the state was unreadable (an unsafe delete).
	Object runtime.Object
	// Previous is the state before; nil for Added.
	Previous runtime.Object
}

// DB is one open file.
type DB struct {
	cfg   Config
	bolt  *bbolt.DB
	cache *cache

	// mu is the write lock. It guards all of this block and orders observers.
	mu         sync.Mutex
	rev        int64 // newest assigned
	stamp      int64 // time of the newest revision, Unix ns
	batch      []change
	batchBytes int64
	batchHeld  int64              // of the versions that batch replaces
	marks      []mark             // go with the next commit
	markRev    int64              // revision of the last mark
	markSeq    uint32             // its number among those of that revision
	markBytes  atomic.Int64       // about how much the marks in the file take
	overlay    map[string]*record // newest version of keys not committed yet
	next       *round             // the commit that batch will be part of
	underway   *round             // the commit that is being written, or was last
	expiries   *btree.BTreeG[expiry]
	observers  []func(Commit)
	stores     []*Store // sorted by prefix
	shelves    map[string]shelf
	failed     error
	closed     bool

	lists *lists

	committed atomic.Int64 // newest revision in the file, durable unless ephemeral
	compacted atomic.Int64
	epoch     atomic.Int64 // counts Rewinds and Restores

	fatal       sync.Once      // guards the call of OnFatal
	compacting  sync.Mutex     // one compaction at a time
	compactions sync.WaitGroup // those of CompactLater
	wake        chan struct{}  // the committer has work
	stop        chan struct{}  // closed by Close
	stopped     chan struct{}  // closed when the committer is done
}

// change is a write on its way to observers, the file and watchers.
type change struct {
	store *Store
	rec   *record
	prev  *record // nil when created
}

// round is one group commit that writers wait for.
type round struct {
	done chan struct{}
	err  error // valid when done is closed
}

func newRound() *round { return &round{done: make(chan struct{})} }

// wait returns when the round is over or ctx is.
func (r *round) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Revision returns the newest assigned revision.
func (db *DB) Revision() int64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.rev
}

// Err returns why the DB takes no more writes, or nil.
func (db *DB) Err() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.failed
}

// Observe registers f to be called for each write, synchronously and under the write
// lock, in strict revision order. The call comes when the revision is assigned, before
// the write is durable. f must not call back into the DB. Register before serving.
func (db *DB) Observe(f func(Commit)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.observers = append(db.observers, f)
}

// Sync returns when everything assigned so far is in the file and, unless the store is
// ephemeral, durable.
func (db *DB) Sync(ctx context.Context) error {
	db.mu.Lock()
	if db.failed != nil {
		defer db.mu.Unlock()
		return db.failed
	}
	if db.rev == db.committed.Load() {
		db.mu.Unlock()
		return nil
	}
	r := db.next
	if len(db.batch) == 0 { // all of it is in the commit under way
		r = db.underway
	}
	db.mu.Unlock()
	db.wakeCommitter() // who may be waiting for more
	return r.wait(ctx)
}

// Close commits what is pending, flushes the file and releases it. Watches end.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	failed := db.failed
	db.mu.Unlock()
	close(db.stop)
	<-db.stopped
	db.compactions.Wait()
	if failed == nil {
		failed = db.Err()
	}
	if failed != nil {
		return errors.Join(failed, db.bolt.Close())
	}
	return db.closeFile()
}

// closeFile writes bbolt's freelist, so that the next Open need not rebuild it.
func (db *DB) closeFile() error {
	db.bolt.NoFreelistSync = false
	err := db.update(func(tx *bbolt.Tx) error {
		return errors.Join(db.persistMarks(tx, db.marks),
			tx.Bucket([]byte(bucketMeta)).Put([]byte(metaFormat), beUint64(formatVersion)))
	})
	if err == nil {
		err = db.bolt.Sync()
	}
	if err = errors.Join(err, db.bolt.Close()); err != nil {
		return fmt.Errorf("storage: close %s: %w", db.cfg.Path, err)
	}
	return nil
}
