package storage

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/storage"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
)

// Delete implements storage.Interface. The suggestion is not used; see state.
func (s *Store) Delete(
	ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, _ runtime.Object, opts storage.DeleteOptions,
) error {
	key, err := s.prepareKey(key, false)
	if err != nil {
		return err
	}
	if _, err := conversion.EnforcePtr(out); err != nil {
		return fmt.Errorf("unable to convert output object to pointer: %w", err)
	}
	unsafe := opts.ExpectTransformOrDecodeError &&
		utilfeature.DefaultFeatureGate.Enabled(features.AllowUnsafeMalformedObjectDeletion)
	for {
		st, err := s.state(ctx, key)
		if unsafe && st.rec != nil {
			st, err = s.unreadable(key, st, err)
		}
		if err != nil {
			return s.refuse(ctx, st, err)
		}
		if st.rec == nil {
			return storage.NewKeyNotFoundError(key, 0)
		}
		err = s.deleteOnce(ctx, key, st, out, preconditions, validate)
		if !errors.Is(err, errConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// unreadable turns the error of an unreadable state into a state without an object. It
// turns a readable state into an error, because the unsafe deletion is for corrupt
// objects only.
func (s *Store) unreadable(key string, st state, err error) (state, error) {
	if err == nil {
		return st, storage.NewInvalidObjError(key, "unsafe deletion is not allowed because the object is decodable from storage")
	}
	st.obj = nil
	return st, nil
}

// deleteOnce deletes st. The error is errConflict if it is no longer the newest
// state.
func (s *Store) deleteOnce(
	ctx context.Context, key string, st state, out runtime.Object,
	preconditions *storage.Preconditions, validate storage.ValidateObjectFunc,
) error {
	var seen, last runtime.Object // stay nil if the object is unreadable
	if st.obj != nil {
		seen, last = share(st.obj), share(st.obj)
	}
	if preconditions != nil {
		if err := preconditions.Check(key, seen); err != nil {
			return s.refuse(ctx, st, err)
		}
	}
	if err := validate(ctx, seen); err != nil {
		return s.refuse(ctx, st, err)
	}
	rec, r, err := s.db.assign(ctx, write{
		store: s, key: key, kind: deleted, prev: st.rec, prevObj: st.obj, obj: last,
	})
	if err != nil {
		return err
	}
	if err := s.db.finish(ctx, r); err != nil || last == nil {
		return err
	}
	return s.setOut(out, last, st.data, rec.rev)
}
