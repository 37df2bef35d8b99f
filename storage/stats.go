package storage

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"k8s.io/apiserver/pkg/storage"
)

// counts are the number of a resource's live keys and the bytes of their values. They
// are written with the commit that changes them, so Stats costs the same at any number
// of keys.
type counts struct {
	keys, bytes atomic.Int64
}

// load reads the counts of s. The first time, it counts.
func (c *counts) load(tx *bbolt.Tx, s *Store) error {
	if v := tx.Bucket([]byte(bucketStats)).Get([]byte(s.root())); len(v) == 16 {
		c.keys.Store(parseInt64(v))
		c.bytes.Store(parseInt64(v[8:]))
		return nil
	}
	keys, bytes, err := takeCounts(tx, s.root())
	c.keys.Store(keys)
	c.bytes.Store(bytes)
	return err
}

// takeCounts counts what the index holds under prefix.
func takeCounts(tx *bbolt.Tx, prefix string) (keys, bytes int64, err error) {
	log := tx.Bucket([]byte(bucketLog))
	current, _ := bounds(tx)
	scan(tx, prefix, "", current, func(_ []byte, rev int64) bool {
		var r *record
		if r, err = decodeRecord(rev, log.Get(beUint64(rev))); err != nil {
			return false
		}
		keys++
		bytes += int64(len(r.value))
		return true
	})
	return keys, bytes, err
}

// add counts one change.
func (c *counts) add(ch change) {
	switch ch.rec.kind {
	case created:
		c.keys.Add(1)
	case deleted:
		c.keys.Add(-1)
	}
	c.bytes.Add(ch.rec.length())
	if ch.prev != nil {
		c.bytes.Add(-ch.prev.length())
	}
}

// persistCounts writes the counts of the resources that batch touches.
func persistCounts(tx *bbolt.Tx, batch []change) error {
	var touched []*Store
	seen := map[*Store]bool{}
	for _, c := range batch {
		// A key that is the prefix itself, such as an upstream allocator's, is in no
		// list and is not counted.
		if strings.HasPrefix(c.rec.key, c.store.root()) {
			c.store.counts.add(c)
		}
		if !seen[c.store] {
			seen[c.store] = true
			touched = append(touched, c.store)
		}
	}
	b := tx.Bucket([]byte(bucketStats))
	for _, s := range touched {
		v := append(beUint64(s.counts.keys.Load()), beUint64(s.counts.bytes.Load())...)
		if err := b.Put([]byte(s.root()), v); err != nil {
			return err
		}
	}
	return nil
}

// Stats implements storage.Interface. Unlike upstream's, the size is exact.
func (s *Store) Stats(ctx context.Context) (storage.Stats, error) {
	if err := s.db.flushed(ctx); err != nil {
		return storage.Stats{}, err
	}
	st := storage.Stats{ObjectCount: s.counts.keys.Load()}
	if s.sized.Load() && st.ObjectCount > 0 {
		st.EstimatedAverageObjectSizeBytes = s.counts.bytes.Load() / st.ObjectCount
	}
	return st, nil
}

// EnableResourceSizeEstimation implements storage.Interface. It does not call getKeys,
// because the keys are known here.
func (s *Store) EnableResourceSizeEstimation(getKeys storage.KeysFunc) error {
	if getKeys == nil {
		return errors.New("KeysFunc cannot be nil")
	}
	if s.sized.Swap(true) {
		return errors.New("resource size estimation is enabled already")
	}
	return nil
}
