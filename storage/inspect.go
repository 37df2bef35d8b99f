package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// Layout of bbolt's meta pages, of which there are two at the start of a file.
// Source: internal/common in go.etcd.io/bbolt v1.5.0. A freelist page number of
// all ones says that the freelist was not written.
const (
	boltMetaBytes  = 64
	boltMagic      = 0xED0CDAED
	boltNoFreelist = ^uint64(0)
)

// boltMeta is the part of a meta page that we need.
type boltMeta struct {
	pageSize, root, freelist, pages, txid uint64
}

// fresh reports whether nothing was ever written to a file. A crash in the first
// instant of a new cluster leaves an empty file.
func fresh(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Mode().IsRegular() && info.Size() == 0, err
}

// verify reads all of a file and returns an error if it is damaged. If verify accepts a
// file, bbolt does not panic over it.
func verify(path string) error {
	return readFile(path, func(f *os.File, m boltMeta, bolt *bbolt.DB) error {
		if problems := walkPages(f, m); len(problems) > 0 {
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

// readFile calls read with a file that is locked against writers, and with its newest
// meta page. The file is not changed.
func readFile(path string, read func(*os.File, boltMeta, *bbolt.DB) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// So far, bbolt reads only the meta pages. Somebody may be writing one.
	if _, err := inspect(f, 1); err != nil {
		return err
	}
	bolt, err := openFile(path, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bolt.Close()) }()
	// If one meta page is damaged, it may have been the newest. Then the last
	// acknowledged writes would be lost without notice. A crash damages none, because
	// each lies within one sector of the disk.
	m, err := inspect(f, 2)
	if err != nil {
		return err
	}
	return guard(func() error { return read(f, m, bolt) })
}

// inspect returns the newest of the meta pages, if at least this many are valid and the
// file is as long as the page says.
func inspect(f *os.File, valid int) (boltMeta, error) {
	m, n := newestMeta(f)
	if n < valid {
		return m, fmt.Errorf("of its 2 meta pages %d are valid: %w", n, ErrCorrupt)
	}
	info, err := f.Stat() // after the meta page: the file only grows
	if err != nil {
		return m, err
	}
	if have := uint64(info.Size()) / m.pageSize; have < m.pages {
		return m, fmt.Errorf("it has %d pages of %d: %w", have, m.pages, ErrCorrupt)
	}
	return m, nil
}

// newestMeta returns the valid meta page with the higher transaction number, and the
// number of valid ones.
func newestMeta(f io.ReaderAt) (newest boltMeta, valid int) {
	first, ok := readMeta(f, 0)
	size := int64(os.Getpagesize())
	if ok {
		newest, valid, size = first, 1, int64(first.pageSize)
	}
	second, ok := readMeta(f, size)
	if ok {
		valid++
		if valid == 1 || second.txid > first.txid {
			newest = second
		}
	}
	return newest, valid
}

func readMeta(f io.ReaderAt, off int64) (boltMeta, bool) {
	var b [boltMetaBytes]byte
	if _, err := f.ReadAt(b[:], off+boltPageHeader); err != nil {
		return boltMeta{}, false
	}
	h := fnv.New64a()
	h.Write(b[:56])
	e := binary.NativeEndian
	if e.Uint32(b[:]) != boltMagic || e.Uint64(b[56:]) != h.Sum64() {
		return boltMeta{}, false
	}
	return boltMeta{
		pageSize: uint64(e.Uint32(b[8:])),
		root:     e.Uint64(b[16:]),
		freelist: e.Uint64(b[32:]),
		pages:    e.Uint64(b[40:]),
		txid:     e.Uint64(b[48:]),
	}, true
}

// guard runs f and turns a panic over damaged pages into ErrCorrupt.
func guard(f func() error) (err error) {
	defer recoverDamage(&err)()
	return f()
}

// bboltCheck runs bbolt's own check. Call it after walkPages: it works on a goroutine
// of its own, and a fault over a damaged page there would end the process.
func bboltCheck(tx *bbolt.Tx) []error {
	var problems []error
	for err := range tx.Check() {
		if len(problems) < problemsMax {
			problems = append(problems, fmt.Errorf("bbolt: %w: %w", err, ErrCorrupt))
		}
	}
	return problems
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
