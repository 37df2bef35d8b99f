package storage

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// A gap is a range of revisions that Rewind or Restore took back. They have no records
// and are never used again. At the last of them, the cluster is what it was before the
// first. Nobody can read at the others or watch from them: a client that knows one of
// them has seen a state that no longer counts.
type gap struct{ first, last int64 }

// readGaps returns the gaps of the snapshot tx, the oldest first.
func readGaps(tx *bbolt.Tx) []gap {
	v := tx.Bucket([]byte(bucketMeta)).Get([]byte(metaGaps))
	gaps := make([]gap, 0, len(v)/16)
	for ; len(v) >= 16; v = v[16:] {
		gaps = append(gaps, gap{parseInt64(v), parseInt64(v[8:])})
	}
	return gaps
}

// writeGaps keeps those of gaps that end above the compacted revision.
func writeGaps(tx *bbolt.Tx, gaps []gap) error {
	_, compacted := bounds(tx)
	var v []byte
	for _, g := range gaps {
		if g.last > compacted {
			v = binary.BigEndian.AppendUint64(v, uint64(g.first))
			v = binary.BigEndian.AppendUint64(v, uint64(g.last))
		}
	}
	return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaGaps), v)
}

// gapAt returns the gap in which revision rev lies, or one without revisions.
func gapAt(tx *bbolt.Tx, rev int64) gap {
	for _, g := range readGaps(tx) {
		if g.first <= rev && rev <= g.last {
			return g
		}
	}
	return gap{}
}

// takenBack reports whether nobody can read at revision rev or watch from it.
func takenBack(tx *bbolt.Tx, rev int64) bool { return rev < gapAt(tx, rev).last }
