// Package boltfile reads a bbolt file before bbolt does, and through bbolt without a crash.
//
// Invariant: nothing that a file contains ends the process. bbolt trusts its pages; a damaged one is a
// fault, an endless loop or a huge allocation there. Here it is ErrDamaged. A file is changed by bbolt
// only.
package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// ErrDamaged says that a file is not as it was written.
var ErrDamaged = errors.New("the file is damaged")

// LockWait is how long Open waits for another process to release a file. Unit: wall time,
// inside bbolt.
const LockWait = 200 * time.Millisecond

// ProblemsMax is how many problems of a file are reported.
const ProblemsMax = 20

// Layout of bbolt's meta pages, of which there are two at the start of a file.
// Source: internal/common in go.etcd.io/bbolt v1.5.0. A freelist page number of
// all ones says that the freelist was not written.
const (
	boltMetaBytes  = 64
	boltMagic      = 0xED0CDAED
	boltNoFreelist = ^uint64(0)
)

// Meta is the part of a meta page that we need.
type Meta struct {
	pageSize, root, freelist, pages, txid uint64
}

// Read calls read with a file that is locked against writers, and with its newest
// meta page. The file is not changed.
func Read(path string, read func(*os.File, Meta, *bbolt.DB) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// So far, bbolt reads only the meta pages. Somebody may be writing one.
	if _, err := inspect(f, 1); err != nil {
		return err
	}
	bolt, err := Open(path, &bbolt.Options{ReadOnly: true, Timeout: LockWait})
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
	return Guard(func() error { return read(f, m, bolt) })
}

// Open is bbolt.Open, but a panic over a damaged file becomes an error, after which
// the file is no longer locked.
func Open(path string, opts *bbolt.Options) (*bbolt.DB, error) {
	var file *os.File
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	var bolt *bbolt.DB
	err := Guard(func() (err error) {
		bolt, err = bbolt.Open(path, 0o600, opts)
		return err
	})
	if err != nil && file != nil {
		_ = file.Close() // closed already, unless bbolt panicked
	}
	return bolt, err
}

// inspect returns the newest of the meta pages, if at least this many are valid and the
// file is as long as the page says.
func inspect(f *os.File, valid int) (Meta, error) {
	m, n := newestMeta(f)
	if n < valid {
		return m, fmt.Errorf("of its 2 meta pages %d are valid: %w", n, ErrDamaged)
	}
	info, err := f.Stat() // after the meta page: the file only grows
	if err != nil {
		return m, err
	}
	if have := uint64(info.Size()) / m.pageSize; have < m.pages {
		return m, fmt.Errorf("it has %d pages of %d: %w", have, m.pages, ErrDamaged)
	}
	return m, nil
}

// newestMeta returns the valid meta page with the higher transaction number, and the
// number of valid ones.
func newestMeta(f io.ReaderAt) (newest Meta, valid int) {
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

func readMeta(f io.ReaderAt, off int64) (Meta, bool) {
	var b [boltMetaBytes]byte
	if _, err := f.ReadAt(b[:], off+boltPageHeader); err != nil {
		return Meta{}, false
	}
	h := fnv.New64a()
	h.Write(b[:56])
	e := binary.NativeEndian
	if e.Uint32(b[:]) != boltMagic || e.Uint64(b[56:]) != h.Sum64() {
		return Meta{}, false
	}
	return Meta{
		pageSize: uint64(e.Uint32(b[8:])),
		root:     e.Uint64(b[16:]),
		freelist: e.Uint64(b[32:]),
		pages:    e.Uint64(b[40:]),
		txid:     e.Uint64(b[48:]),
	}, true
}

// Check runs bbolt's own check. Call it after Pages: it works on a goroutine
// of its own, and a fault over a damaged page there would end the process.
func Check(tx *bbolt.Tx) []error {
	var problems []error
	for err := range tx.Check() {
		if len(problems) < ProblemsMax {
			problems = append(problems, fmt.Errorf("bbolt: %w: %w", err, ErrDamaged))
		}
	}
	return problems
}

// Guard runs f and turns a panic over damaged pages into ErrDamaged.
func Guard(f func() error) (err error) {
	defer recoverDamage(&err)()
	return f()
}

// recoverDamage turns bbolt's panics, and faults in its memory map, into
// ErrDamaged. Use: defer recoverDamage(&err)().
func recoverDamage(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		p := recover()
		if fault, ok := p.(runtime.Error); ok {
			p = fmt.Errorf("a page cannot be read (%w)", fault)
		}
		if p != nil {
			*err = fmt.Errorf("%v: %w", p, ErrDamaged)
		}
	}
}
