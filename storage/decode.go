package storage

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// authenticatedKey is the value.Context of a stored value: its key.
type authenticatedKey string

// AuthenticatedData implements value.Context.
func (k authenticatedKey) AuthenticatedData() []byte { return []byte(k) }

// transformError is a value that its transformer refuses.
type transformError struct{ err error }

func (e *transformError) Error() string { return e.err.Error() }
func (e *transformError) Unwrap() error { return e.err }

// plaintext returns r's value without the transformer's work, and whether the
// transformer wants it to be rewritten.
func (s *Store) plaintext(ctx context.Context, r *record) (data []byte, stale bool, err error) {
	data, err = r.encoded()
	t := s.transformer.Load()
	if t == nil || err != nil {
		return data, false, err
	}
	data, stale, err = (*t).TransformFromStorage(ctx, data, authenticatedKey(r.key))
	if err != nil {
		return nil, false, &transformError{err}
	}
	return data, stale, nil
}

// decode returns data as an object at revision rev, owned by the caller.
func (s *Store) decode(data []byte, rev int64) (runtime.Object, error) {
	return s.decodeInto(data, rev, s.newFunc())
}

func (s *Store) decodeInto(data []byte, rev int64, into runtime.Object) (runtime.Object, error) {
	obj, _, err := s.codec.Decode(data, nil, into)
	if err != nil {
		return nil, s.undecodable(rev, err)
	}
	// An object whose version cannot be set is still useful; upstream's decoder also
	// says so.
	_ = s.versioner.UpdateObject(obj, uint64(rev))
	return obj, nil
}

// object returns r decoded. It is shared: use share or DeepCopyObject before
// handing it to a caller.
func (s *Store) object(ctx context.Context, r *record) (runtime.Object, error) {
	if r.obj != nil && r.by == s && s.plain() {
		return r.obj, nil
	}
	data, _, err := s.plaintext(ctx, r)
	if err != nil {
		return nil, err
	}
	obj, err := s.decode(data, r.rev)
	if err == nil && s.plain() {
		kept := *r
		kept.obj, kept.by = obj, s
		s.db.cache.put(kept.slim(s))
	}
	return obj, err
}

// share returns a copy of a shared object. The caller may set the copy's own fields.
// What they refer to remains shared, as it is behind upstream's watch cache.
// Unstructured objects are copied whole, because they consist of references.
func share(obj runtime.Object) runtime.Object {
	v := reflect.ValueOf(obj)
	if _, ok := obj.(runtime.Unstructured); ok || v.Kind() != reflect.Pointer {
		return obj.DeepCopyObject()
	}
	c := reflect.New(v.Type().Elem())
	c.Elem().Set(v.Elem())
	return c.Interface().(runtime.Object)
}

// withRevision returns a shared copy of obj at revision rev.
func (s *Store) withRevision(obj runtime.Object, rev int64) runtime.Object {
	c := share(obj)
	_ = s.versioner.UpdateObject(c, uint64(rev)) // see decodeInto
	return c
}

// setOut stores obj into out, as share does. data returns obj encoded.
func (s *Store) setOut(out, obj runtime.Object, data func() ([]byte, error), rev int64) error {
	dst, err := conversion.EnforcePtr(out)
	if err != nil {
		return fmt.Errorf("unable to convert output object to pointer: %w", err)
	}
	src := reflect.ValueOf(obj)
	if src.Kind() != reflect.Pointer || src.Type().Elem() != dst.Type() {
		encoded, err := data()
		if err == nil {
			_, err = s.decodeInto(encoded, rev, out)
		}
		return err
	}
	if _, ok := obj.(runtime.Unstructured); ok {
		src = reflect.ValueOf(obj.DeepCopyObject())
	}
	dst.Set(src.Elem())
	return nil
}

// given is a source of data for setOut.
func given(data []byte) func() ([]byte, error) { return func() ([]byte, error) { return data, nil } }

// internalError wraps what a transformer refused, as upstream does. Other errors remain
// as they are.
func internalError(err error) error {
	if e, ok := err.(*transformError); ok { //nolint:errorlint // made here, never wrapped
		return storage.NewInternalError(e.err)
	}
	return err
}
