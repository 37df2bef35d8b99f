package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/btree"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/kubesim-dev/kubesim/storage/boltfile"
)

const (
	// mapBytes is reserved as address space, not as memory. While the file is smaller,
	// no reader can delay a commit (bbolt's Options.InitialMmapSize).
	mapBytes = 256 << 20
	// growBytes is by how much the file grows at a time (bbolt's DB.AllocSize).
	growBytes = 4 << 20
)

// recovery is what to do about a damaged file.
const recovery = "restore a snapshot with 'kubesim snapshot restore NAME --data-dir DIR', or move the file away to start empty"

// Open opens or creates the file. Its errors wrap ErrInUse, ErrNewerFormat,
// ErrCorrupt, ErrReadOnly or ErrDiskFull and say what to do.
func Open(cfg Config) (*DB, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = DefaultCacheBytes
	}
	_, err := os.Stat(cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		err = createFile(cfg)
	} else if err == nil {
		err = verify(cfg.Path)
	}
	if err != nil {
		return nil, explain(cfg.Path, err)
	}
	bolt, err := boltfile.Open(cfg.Path, boltOptions(cfg))
	if err != nil {
		return nil, explain(cfg.Path, err)
	}
	bolt.AllocSize = growBytes
	db := &DB{
		cfg:      cfg,
		bolt:     bolt,
		cache:    newCache(cfg.CacheBytes),
		lists:    newLists(listsMax, listWait),
		overlay:  map[string]*record{},
		shelves:  map[string]shelf{},
		next:     newRound(),
		expiries: btree.NewG(32, expiry.before),
		wake:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	if err := db.load(); err != nil {
		return nil, explain(cfg.Path, errors.Join(err, bolt.Close()))
	}
	go db.commitLoop()
	return db, nil
}

func boltOptions(cfg Config) *bbolt.Options {
	return &bbolt.Options{
		Timeout:         boltfile.LockWait,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		NoSync:          cfg.Ephemeral,
		NoGrowSync:      cfg.Ephemeral,
		NoStatistics:    true,
		InitialMmapSize: mapBytes,
	}
}

// newSuffix follows the name of a file that is being made.
const newSuffix = ".new-"

// createFile makes a file with nothing in it, whole or not at all: an empty file is damaged,
// and not one that a crash has left. If another process makes it meanwhile, that is the
// file.
func createFile(cfg Config) error {
	f, err := os.CreateTemp(filepath.Dir(cfg.Path), filepath.Base(cfg.Path)+newSuffix+"*")
	if err != nil {
		return err
	}
	temporary := f.Name()
	defer func() { _ = os.Remove(temporary) }() // what counts is the link
	if err := f.Close(); err != nil {
		return err
	}
	options := boltOptions(cfg)
	options.InitialMmapSize = 0
	bolt, err := boltfile.Open(temporary, options)
	if err != nil {
		return err
	}
	if err := errors.Join(bolt.Update(layOut), bolt.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link replaces nothing. Not every file system has links.
	if err := os.Link(temporary, cfg.Path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(temporary, cfg.Path); err != nil {
			return err
		}
	}
	if cfg.Ephemeral || runtime.GOOS == "windows" { // which cannot sync a folder
		return nil
	}
	folder, err := os.Open(filepath.Dir(cfg.Path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// InUse reports whether a process has the file open for writing.
func InUse(path string) bool {
	bolt, err := boltfile.Open(path, &bbolt.Options{ReadOnly: true, Timeout: time.Millisecond})
	if err != nil {
		return errors.Is(err, berrors.ErrTimeout)
	}
	_ = bolt.Close() // nothing was written
	return false
}

// load reads or, in a file without it, writes the meta bucket.
func (db *DB) load() error {
	var laidOut bool
	err := db.view(func(tx *bbolt.Tx) (err error) {
		laidOut, err = checkFormat(tx)
		return err
	})
	switch {
	case err == nil && !laidOut:
		err = db.update(layOut)
	case err == nil:
		err = db.update(upgrade)
	}
	if err != nil {
		return err
	}
	return db.view(db.recall)
}

// recall reads what the snapshot tx says about the whole file. Needs mu, unless nobody
// else has the DB yet.
func (db *DB) recall(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(bucketMeta))
	current := meta.Get([]byte(metaCurrent))
	if len(current) != 16 {
		return fmt.Errorf("meta has no current revision: %w", ErrCorrupt)
	}
	db.rev, db.stamp = parseInt64(current), parseInt64(current[8:])
	db.committed.Store(db.rev)
	db.compacted.Store(parseInt64(meta.Get([]byte(metaCompacted))))
	db.markRev, db.markSeq = 0, 0
	if k, _ := tx.Bucket([]byte(bucketMarks)).Cursor().Last(); len(k) == 12 {
		db.markRev, db.markSeq = parseInt64(k), binary.BigEndian.Uint32(k[8:])
	}
	db.markBytes.Store(int64(tx.Bucket([]byte(bucketMarks)).Stats().LeafInuse))
	db.expiries.Clear(false)
	return tx.Bucket([]byte(bucketTTL)).ForEach(func(k, v []byte) error {
		if len(k) < 9 || len(v) != 8 {
			return fmt.Errorf("ttl entry %q: %w", k, ErrCorrupt)
		}
		db.expiries.ReplaceOrInsert(expiry{at: parseInt64(k), key: string(k[8:]), rev: parseInt64(v)})
		return nil
	})
}

// layOut creates the buckets of a new file.
func layOut(tx *bbolt.Tx) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	meta := tx.Bucket([]byte(bucketMeta))
	return errors.Join(
		meta.Put([]byte(metaFormat), beUint64(formatVersion)),
		meta.Put([]byte(metaCurrent), append(beUint64(firstRevision), beUint64(0)...)))
}

// upgrade converts a file of an older format to the present one.
func upgrade(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(bucketMeta))
	if parseInt64(meta.Get([]byte(metaFormat))) == formatVersion {
		return nil
	}
	_, err := tx.CreateBucketIfNotExists([]byte(bucketMarks))
	return errors.Join(err, meta.Put([]byte(metaFormat), beUint64(formatVersion)))
}

// checkFormat reports whether the file has our buckets. It refuses files of a newer
// kubesim and of other programs.
func checkFormat(tx *bbolt.Tx) (laidOut bool, err error) {
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil {
		if k, _ := tx.Cursor().First(); k != nil {
			return false, fmt.Errorf("it is a bbolt file, but not kubesim's: %w", ErrCorrupt)
		}
		return false, nil
	}
	v := parseInt64(meta.Get([]byte(metaFormat)))
	if v > formatVersion {
		return false, fmt.Errorf("it has format %d, this kubesim knows up to %d: %w", v, formatVersion, ErrNewerFormat)
	}
	for _, name := range buckets() {
		if v < 1 || (tx.Bucket([]byte(name)) == nil && !(v == 1 && name == bucketMarks)) {
			return false, fmt.Errorf("format %d, bucket %s: %w", v, name, ErrCorrupt)
		}
	}
	return true, nil
}

// explained is an error that names the file and says what to do.
type explained struct{ error }

func (e explained) Unwrap() error { return e.error }

// explain adds the file's name and what to do to err, once.
func explain(path string, err error) error {
	var done explained
	if errors.As(err, &done) {
		return err
	}
	var op *fs.PathError
	if errors.As(err, &op) && (op.Path == path || strings.HasPrefix(op.Path, path+newSuffix)) && !isDamage(err) {
		err = op.Err
	}
	advice := ""
	switch {
	case errors.Is(err, berrors.ErrTimeout), errors.Is(err, ErrInUse):
		err, advice = ErrInUse, "stop that process, or use another --data-dir"
	case errors.Is(err, ErrNewerFormat):
		advice = "use that kubesim, or another --data-dir"
	case errors.Is(err, ErrCorrupt):
		advice = recovery
	case isDamage(err):
		err, advice = fmt.Errorf("%w: %w", ErrCorrupt, err), recovery
	case errors.Is(err, fs.ErrNotExist):
		advice = "create its directory first"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		err, advice = fmt.Errorf("%w: %w", ErrReadOnly, err), "make it writable, or use another --data-dir"
	case diskFull(err):
		err, advice = fmt.Errorf("%w: %w", ErrDiskFull, err), "free some space and start again; what was acknowledged is safe"
	default:
		return explained{fmt.Errorf("storage: %s: %w", path, err)}
	}
	return explained{fmt.Errorf("storage: %s: %w: %s", path, err, advice)}
}

// isDamage reports whether err says that the file is not as it was written.
func isDamage(err error) bool {
	for _, e := range []error{ErrCorrupt, berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrVersionMismatch} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// diskFull also reads the text: bbolt does not wrap the error of a file that
// cannot grow.
func diskFull(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, e) || strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}
