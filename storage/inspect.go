package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// Layout of bbolt's meta pages, of which there are two at the start of a file.
// Source: internal/common in go.etcd.io/bbolt v1.5.0. A page begins with a
// header of 16 bytes; a freelist page number of all ones says that the freelist
// was not written.
const (
	boltPageHeader = 16
	boltMetaBytes  = 64
	boltMagic      = 0xED0CDAED
	boltNoFreelist = ^uint64(0)
)

// verifyBytesMax bounds the files that every Open verifies, some 100,000 Pods in
// 0.15 s; a larger one is verified after a crash only.
const verifyBytesMax = 64 << 20

// boltMeta is the part of a meta page that inspect needs.
type boltMeta struct {
	pageSize, freelist, pages, txid uint64
}

// inspect looks at a file before bbolt maps it: a page beyond the end of a
// truncated file would kill the process. It reports whether the file may be
// opened without verifying it: it is fresh, or too large for that and closed
// with its freelist written.
func inspect(path string) (trusted bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	m, metaErr := newestMeta(f)
	info, err := f.Stat() // after the meta page: the file only grows
	if err != nil {
		return false, err
	}
	if info.Size() == 0 {
		return true, nil
	}
	if metaErr != nil {
		return false, metaErr
	}
	if want := int64(m.pages * m.pageSize); info.Size() < want {
		return false, fmt.Errorf("it has %d bytes of %d: %w", info.Size(), want, ErrCorrupt)
	}
	return m.freelist != boltNoFreelist && m.pages*m.pageSize > verifyBytesMax, nil
}

// newestMeta returns the valid meta page with the higher transaction number.
func newestMeta(f io.ReaderAt) (boltMeta, error) {
	first, ok0 := readMeta(f, 0)
	size := int64(os.Getpagesize())
	if ok0 {
		size = int64(first.pageSize)
	}
	second, ok1 := readMeta(f, size)
	switch {
	case !ok0 && !ok1:
		return boltMeta{}, fmt.Errorf("neither of its two meta pages is valid: %w", ErrCorrupt)
	case ok1 && (!ok0 || second.txid > first.txid):
		return second, nil
	}
	return first, nil
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
		freelist: e.Uint64(b[32:]),
		pages:    e.Uint64(b[40:]),
		txid:     e.Uint64(b[48:]),
	}, true
}

// verify reads all of a file, so that damage is an error here and not a fault on
// the goroutine with which bbolt rebuilds its freelist.
func verify(path string) (err error) {
	bolt, err := openFile(path, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bolt.Close()) }()
	return guard(func() error {
		return bolt.View(verifyAll)
	})
}

// guard runs f; a panic over damaged pages is ErrCorrupt.
func guard(f func() error) (err error) {
	defer recoverDamage(&err)()
	return f()
}

// verifyAll looks for damage in every page of a file of our format.
func verifyAll(tx *bbolt.Tx) error {
	if laidOut, err := checkFormat(tx); err != nil || !laidOut {
		return err
	}
	if err := verifyPages(tx); err != nil {
		return err
	}
	return bboltCheck(tx)
}

// bboltCheck runs bbolt's own check. Call it after verifyPages: it works on a
// goroutine of its own, on which a fault over a damaged page ends the process.
func bboltCheck(tx *bbolt.Tx) error {
	var problems []error
	for err := range tx.Check() {
		if len(problems) < problemsMax {
			problems = append(problems, fmt.Errorf("bbolt: %w: %w", err, ErrCorrupt))
		}
	}
	return errors.Join(problems...)
}

// verifyPages reads every key and value, so that a fault happens here, and finds
// each key again by seeking it, which reads the branch pages too.
func verifyPages(tx *bbolt.Tx) error {
	log := tx.Bucket([]byte(bucketLog))
	return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		all, again := b.Cursor(), b.Cursor()
		for k, v := all.First(); k != nil; k, v = all.Next() {
			found, _ := again.Seek(k)
			if !bytes.Equal(k, found) {
				return fmt.Errorf("bucket %q: key %q is out of order: %w", name, k, ErrCorrupt)
			}
			if err := verifyEntry(log, string(name), k, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// verifyEntry checks a log record's checksum, and that an index entry tells what
// the log does.
func verifyEntry(log *bbolt.Bucket, bucket string, k, v []byte) error {
	switch bucket {
	case bucketLog:
		_, err := decodeRecord(parseInt64(k), v)
		return err
	case bucketIndex:
		key, rev := splitIndexKey(k)
		r := log.Get(beUint64(rev))
		if len(v) != 1 || len(r) < recordHeader || v[0] != r[4] || !bytes.Equal(key, peekKey(r)) {
			return fmt.Errorf("index of %q at revision %d is not what the log says: %w", key, rev, ErrCorrupt)
		}
	case bucketMarks:
		_, _, err := decodeMark(k, v)
		return err
	default:
		crc32.ChecksumIEEE(v)
	}
	return nil
}
