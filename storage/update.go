package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// GuaranteedUpdate implements storage.Interface. tryUpdate runs without any lock. It is
// called again with the newest state if the key changes in the meantime. The last
// argument, a suggestion, is not used; see state.
func (s *Store) GuaranteedUpdate(
	ctx context.Context, key string, destination runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc, _ runtime.Object,
) error {
	key, err := s.prepareKey(key, false)
	if err != nil {
		return err
	}
	for {
		st, err := s.state(ctx, key)
		if err != nil {
			return s.refuse(ctx, st, err)
		}
		if st.rec == nil && !ignoreNotFound {
			return storage.NewKeyNotFoundError(key, 0)
		}
		err = s.tryOnce(ctx, key, st, destination, preconditions, tryUpdate)
		if !errors.Is(err, errConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// tryOnce updates key from st. The error is errConflict if st is no longer the
// newest state.
func (s *Store) tryOnce(
	ctx context.Context, key string, st state, destination runtime.Object,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc,
) error {
	ret, ttl, err := s.propose(key, st, destination, preconditions, tryUpdate)
	if err != nil {
		return s.refuse(ctx, st, err)
	}
	if ctx.Value(withoutWaitKey{}) != nil && s.keeps(ret) && s.keeps(destination) {
		kept, err := s.replaceKept(ctx, key, st, ret, ttl)
		if err != nil {
			return err
		}
		return s.setOut(destination, kept, nil, 0)
	}
	data, err := runtime.Encode(s.codec, ret)
	if err != nil {
		return err
	}
	before, err := st.data()
	if err != nil {
		return err
	}
	if st.rec != nil && !st.stale && bytes.Equal(data, before) {
		if err := s.refuse(ctx, st, nil); err != nil {
			return err
		}
		return s.setOut(destination, st.obj, given(before), st.rev())
	}
	stored, err := s.toStorage(ctx, key, data)
	if err == nil {
		err = fits(key, stored)
	}
	if err != nil {
		return err
	}
	kept, err := s.decode(data, 0)
	if err != nil {
		return err
	}
	w := write{
		store: s, key: key, kind: modified, prev: st.rec, prevObj: st.obj,
		value: stored, obj: kept, expiry: s.expiresAt(ttl),
	}
	if st.rec == nil {
		w.kind = created
	}
	rec, r, err := s.db.assign(ctx, w)
	if err != nil {
		return err
	}
	if err := s.db.finish(ctx, r); err != nil {
		return err
	}
	return s.setOut(destination, kept, given(data), rec.rev)
}

// propose checks the preconditions and asks tryUpdate for the new object, on a
// private copy of the state.
func (s *Store) propose(
	key string, st state, destination runtime.Object,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc,
) (ret runtime.Object, ttl uint64, err error) {
	input, err := s.private(st, destination)
	if err != nil {
		return nil, 0, err
	}
	if err := preconditions.Check(key, input); err != nil {
		return nil, 0, err
	}
	ret, ttlPtr, err := tryUpdate(input, storage.ResponseMeta{ResourceVersion: uint64(st.rev())})
	if err != nil {
		return nil, 0, err
	}
	if err := s.versioner.PrepareObjectForStorage(ret); err != nil {
		return nil, 0, fmt.Errorf("PrepareObjectForStorage failed: %w", err)
	}
	// A nil TTL ends an earlier one, as a put without a lease does in etcd3.
	if ttlPtr != nil {
		ttl = *ttlPtr
	}
	return ret, ttl, nil
}

// private returns the state's object for the caller to change. If the key does not
// exist, it returns a zero object of destination's type.
func (s *Store) private(st state, destination runtime.Object) (runtime.Object, error) {
	if st.obj != nil {
		return st.obj.DeepCopyObject(), nil
	}
	if u, ok := destination.(runtime.Unstructured); ok {
		return u.NewEmptyInstance(), nil
	}
	obj := share(destination)
	return obj, runtime.SetZeroValue(obj)
}
