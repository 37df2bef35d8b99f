package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"go.etcd.io/bbolt"
)

// markHeader is the length of a stored mark before its data: checksum and kind.
// Unit: bytes.
const markHeader = 4 + 1

// mark is a state of the DB's driver, on its way to the file.
type mark struct {
	key  []byte
	data []byte
	full bool
}

// Mark keeps data with revision rev: the state of the engine at that revision. The DB
// knows nothing about its content. A mark that is not full says only what has changed
// since the previous one. If rev is older than the revision of the previous mark, it
// counts as that one: marks stay in the order in which they are made. A mark goes to
// the file with the next commit, or on Close at the latest. A crash before that loses
// it, but never the marks before it.
func (db *DB) Mark(rev int64, data []byte, full bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if rev > db.markRev {
		db.markRev, db.markSeq = rev, 0
	}
	db.markSeq++
	key := binary.BigEndian.AppendUint32(beUint64(db.markRev), db.markSeq)
	db.marks = append(db.marks, mark{key: key, data: data, full: full})
}

// Marks returns what makes up the state at revision rev: the newest full mark at or
// before it and those that followed, oldest first, and the revision of the last. It
// returns none if there is no full mark. Only what is in the file counts.
func (db *DB) Marks(rev int64) (marks [][]byte, at int64, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketMarks)).Cursor()
		for k, v := before(c, beUint64(rev+1)); k != nil; k, v = c.Prev() {
			full, data, err := decodeMark(k, v)
			if err != nil {
				return err
			}
			if len(marks) == 0 {
				at = parseInt64(k)
			}
			marks = append(marks, bytes.Clone(data))
			if full {
				return nil
			}
		}
		marks, at = nil, 0
		return nil
	})
	slices.Reverse(marks)
	if err != nil {
		return nil, 0, explain(db.cfg.Path, err)
	}
	return marks, at, nil
}

// marksMax bounds the marks in the file. Programs that never wait for long make many,
// even if nothing is written, so no compaction removes them. Unit: bytes.
const marksMax = 64 << 20

// persistMarks writes marks, which are sorted, and keeps the total within marksMax.
func (db *DB) persistMarks(tx *bbolt.Tx, marks []mark) error {
	b := tx.Bucket([]byte(bucketMarks))
	b.FillPercent = logFill
	for _, m := range marks {
		v := m.encode()
		if err := b.Put(m.key, v); err != nil {
			return err
		}
		db.markBytes.Add(int64(len(v)))
	}
	if db.markBytes.Load() <= marksMax {
		return nil
	}
	left, err := trimMarks(b, marksMax)
	db.markBytes.Store(left)
	return err
}

// trimMarks deletes the oldest marks, up to a full one, if there are more than most
// bytes of them, until three quarters of that are left. The newest full mark and those
// after it stay. It returns how much is left.
func trimMarks(b *bbolt.Bucket, most int64) (left int64, err error) {
	if err := b.ForEach(func(_, v []byte) error { left += int64(len(v)); return nil }); err != nil {
		return 0, err
	}
	if left <= most { // a compaction took some away, or a commit was tried again
		return left, nil
	}
	var base []byte
	var before, cut int64
	c := b.Cursor()
	for k, v := c.First(); k != nil && left-cut > most/4*3; k, v = c.Next() {
		if before > 0 && len(v) >= markHeader && v[4] == 1 {
			base, cut = bytes.Clone(k), before
		}
		before += int64(len(v))
	}
	if base == nil {
		return left, nil
	}
	return left - cut, deleteRange(b, nil, base)
}

// encode writes m in the form that doc.go gives.
func (m mark) encode() []byte {
	v := make([]byte, markHeader, markHeader+len(m.data))
	if m.full {
		v[4] = 1
	}
	v = append(v, m.data...)
	binary.BigEndian.PutUint32(v, markChecksum(m.key, v[4:]))
	return v
}

func markChecksum(key, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, body)
}

// decodeMark verifies a stored mark. Its data aliases v. Its error is ErrCorrupt.
func decodeMark(k, v []byte) (full bool, data []byte, err error) {
	if len(k) != 12 || len(v) < markHeader || markChecksum(k, v[4:]) != binary.BigEndian.Uint32(v) {
		return false, nil, fmt.Errorf("mark %x: checksum does not match: %w", k, ErrCorrupt)
	}
	return v[4] == 1, v[markHeader:], nil
}

// pruneMarks deletes the marks that no revision from compacted on needs: those before
// the newest full mark at or before it.
func pruneMarks(tx *bbolt.Tx, compacted int64) error {
	b := tx.Bucket([]byte(bucketMarks))
	var base []byte
	c := b.Cursor()
	for k, v := c.First(); k != nil && parseInt64(k) <= compacted; k, v = c.Next() {
		if len(v) >= markHeader && v[4] == 1 {
			base = bytes.Clone(k)
		}
	}
	if base == nil {
		return nil
	}
	return deleteRange(b, nil, base)
}

// deleteRange deletes the keys of b from from on, up to but not including to. If to is
// nil, it deletes to the end.
func deleteRange(b *bbolt.Bucket, from, to []byte) error {
	var gone [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(from); k != nil && (to == nil || bytes.Compare(k, to) < 0); k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	var errs []error
	for _, k := range gone {
		errs = append(errs, b.Delete(k))
	}
	return errors.Join(errs...)
}

// cutMarks deletes the marks after revision rev. It also deletes those at the end of
// rev's marks for which later reports true.
func cutMarks(tx *bbolt.Tx, rev int64, later func(data []byte) bool) error {
	b := tx.Bucket([]byte(bucketMarks))
	from := beUint64(rev + 1)
	if later != nil {
		c := b.Cursor()
		for k, v := c.Seek(beUint64(rev)); k != nil && parseInt64(k) == rev; k, v = c.Next() {
			_, data, err := decodeMark(k, v)
			if err != nil {
				return err
			}
			if later(data) {
				from = bytes.Clone(k)
				break
			}
		}
	}
	return deleteRange(b, from, nil)
}
