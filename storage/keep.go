package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"go.etcd.io/bbolt"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apiserver/pkg/storage"
)

// guessBytes is the assumed length of an object that has not been encoded yet.
const guessBytes = 1 << 10

// late encodes a record's object when its value is first needed.
type late struct {
	store *Store
	once  sync.Once
	err   error
	// filed says that the value is in the file, and is read there whenever it is
	// needed.
	filed bool
}

// slim returns r, which is in the file, as the cache keeps it: a large object without
// its encoding, which is as large.
func (r *record) slim(s *Store) *record {
	if r.obj == nil || len(r.value) <= costMax {
		return r
	}
	c := *r
	c.value, c.guess, c.late = nil, len(r.value), &late{store: s, filed: true}
	return &c
}

// length returns the length of r's value, which is in the file or about to be. Unit:
// bytes.
func (r *record) length() int64 {
	if r.late != nil && r.late.filed {
		return int64(r.guess)
	}
	return int64(len(r.value))
}

// fromFile returns the value of a slim record. If the record was compacted away in the
// meantime, its value is encoded again.
func (s *Store) fromFile(r *record) (value []byte, err error) {
	err = s.db.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket([]byte(bucketLog)).Get(beUint64(r.rev))
		if v == nil {
			return nil
		}
		stored, err := decodeRecord(r.rev, v)
		if err == nil {
			value = stored.value
		}
		return err
	})
	if err != nil || value != nil {
		return value, err
	}
	return s.encodeShared(r.obj)
}

// encodeShared encodes a shared object. What is stored has no resourceVersion.
func (s *Store) encodeShared(obj runtime.Object) ([]byte, error) {
	obj = share(obj)
	if err := s.versioner.PrepareObjectForStorage(obj); err != nil {
		return nil, err
	}
	return runtime.Encode(s.codec, obj)
}

// encoded returns r's value, nil for a deletion.
func (r *record) encoded() ([]byte, error) {
	if r.late == nil {
		return r.value, nil
	}
	if r.late.filed {
		return r.late.store.fromFile(r)
	}
	r.late.once.Do(func() { r.value, r.late.err = r.late.store.encodeShared(r.obj) })
	return r.value, r.late.err
}

// CreateKept is Create for a caller that gives obj away, with all its defaults. The
// store keeps obj itself, not a decoded copy, and encodes it when it is written to the
// file. What CreateKept returns is shared: nobody may change it.
func (s *Store) CreateKept(ctx context.Context, key string, obj runtime.Object, ttl uint64) (runtime.Object, error) {
	if !s.keeps(obj) {
		out := s.newFunc()
		return out, s.Create(ctx, key, obj, out, ttl)
	}
	key, err := s.prepareKey(key, false)
	if err != nil {
		return nil, err
	}
	if err := s.roundTrip(key, obj); err != nil {
		return nil, err
	}
	_, r, err := s.db.assign(ctx, write{store: s, key: key, kind: created, obj: obj, expiry: s.expiresAt(ttl)})
	if errors.Is(err, errConflict) {
		if err := s.db.AwaitVisible(ctx); err != nil {
			return nil, err
		}
		return nil, storage.NewKeyExistsError(key, 0)
	}
	if err != nil {
		return nil, err
	}
	return obj, s.db.finish(ctx, r)
}

// UpdateKept is GuaranteedUpdate for a caller that follows the rules of shared objects:
// tryUpdate does not change its argument, and gives away its result, which may share
// memory with the argument. So nothing is copied or decoded. What UpdateKept returns is
// shared, too.
func (s *Store) UpdateKept(
	ctx context.Context, key string, preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc,
) (runtime.Object, error) {
	if out := s.newFunc(); !s.keeps(out) {
		return out, s.GuaranteedUpdate(ctx, key, out, false, preconditions, tryUpdate, nil)
	}
	key, err := s.prepareKey(key, false)
	if err != nil {
		return nil, err
	}
	for {
		st, err := s.state(ctx, key)
		if err != nil {
			return nil, s.refuse(ctx, st, err)
		}
		if st.rec == nil {
			return nil, storage.NewKeyNotFoundError(key, 0)
		}
		obj, err := s.tryKept(ctx, key, st, preconditions, tryUpdate)
		if !errors.Is(err, errConflict) {
			return obj, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// tryKept is tryOnce for UpdateKept.
func (s *Store) tryKept(
	ctx context.Context, key string, st state, preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc,
) (runtime.Object, error) {
	if err := preconditions.Check(key, st.obj); err != nil {
		return nil, s.refuse(ctx, st, err)
	}
	obj, ttl, err := tryUpdate(st.obj, storage.ResponseMeta{ResourceVersion: uint64(st.rev())})
	if err != nil {
		return nil, s.refuse(ctx, st, err)
	}
	if ttl == nil {
		ttl = new(uint64)
	}
	return s.replaceKept(ctx, key, st, obj, *ttl)
}

// replaceKept keeps obj instead of st, unless they are the same, and returns what is
// then stored. The error is errConflict if st is no longer the newest state.
func (s *Store) replaceKept(ctx context.Context, key string, st state, obj runtime.Object, ttl uint64) (runtime.Object, error) {
	if err := s.roundTrip(key, obj); err != nil {
		return nil, err
	}
	w := write{store: s, key: key, kind: created, prev: st.rec, prevObj: st.obj, obj: obj, expiry: s.expiresAt(ttl)}
	if st.rec != nil {
		w.kind = modified
		// With the same resourceVersion, they differ only if something was changed.
		_ = s.versioner.UpdateObject(obj, uint64(st.rev())) // see decodeInto
		if s.shape.Same(obj, st.obj) {
			return st.obj, s.refuse(ctx, st, nil)
		}
	}
	_, r, err := s.db.assign(ctx, w)
	if err != nil {
		return nil, err
	}
	return obj, s.db.finish(ctx, r)
}

// keeps reports whether s can keep obj as it is given.
func (s *Store) keeps(obj runtime.Object) bool {
	return s.shape != nil && reflect.TypeOf(obj) == s.typ && s.plain()
}

// AsDecoded changes obj, in place, to what it would be after encoding and decoding; for
// example, its times are in whole seconds. CreateKept and UpdateKept do the same with
// their arguments. It changes only objects that they would keep.
func (s *Store) AsDecoded(obj runtime.Object) {
	if s.keeps(obj) {
		s.shape.AsDecoded(obj)
	}
}

// roundTrip changes obj, in place, to what it would be after encoding and decoding. It
// refuses an object that is too large.
func (s *Store) roundTrip(key string, obj runtime.Object) error {
	if err := s.versioner.PrepareObjectForStorage(obj); err != nil {
		return fmt.Errorf("PrepareObjectForStorage failed: %w", err)
	}
	s.shape.AsDecoded(obj)
	// The encoded size is not known yet. An estimate far below the bound is enough.
	if s.shape.Size(obj) > requestMax/2 {
		data, err := runtime.Encode(s.codec, obj)
		if err == nil {
			err = fits(key, data)
		}
		if err != nil {
			return err
		}
	}
	if !s.db.cfg.CheckKept {
		return nil
	}
	data, err := runtime.Encode(s.codec, obj)
	if err != nil {
		return err
	}
	decoded, err := s.decode(data, 0)
	if err != nil {
		return err
	}
	_ = s.versioner.PrepareObjectForStorage(decoded)
	if !apiequality.Semantic.DeepEqual(obj, decoded) {
		panic(fmt.Sprintf("storage: a %T is not what it is after encoding and decoding: %s", obj, diff.Diff(obj, decoded)))
	}
	return nil
}
