package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/value"
)

// corruptMax is how many corrupt objects one list reports. Source:
// maxCorruptObjErrsToAggregate in k8s.io/apiserver pkg/storage/etcd3 v0.37.2.
const corruptMax = 100

// corruptError is an object whose stored bytes cannot be transformed or decoded.
type corruptError struct {
	what string
	err  error
}

func (e *corruptError) Error() string { return e.what + ": " + e.err.Error() }
func (e *corruptError) Unwrap() error { return e.err }

// undecodable is the codec's error, marked if corrupt objects are reported.
func (s *Store) undecodable(rev int64, err error) error {
	if !s.unsafeDelete {
		return err
	}
	return &corruptError{fmt.Sprintf("object not decodable revision=%d", rev), err}
}

// reportCorrupt marks the errors of t if corrupt objects are reported.
func (s *Store) reportCorrupt(t value.Transformer) value.Transformer {
	if !s.unsafeDelete {
		return t
	}
	return corruptTransformer{t}
}

type corruptTransformer struct{ value.Transformer }

// TransformFromStorage implements value.Transformer.
func (t corruptTransformer) TransformFromStorage(ctx context.Context, data []byte, c value.Context) ([]byte, bool, error) {
	out, stale, err := t.Transformer.TransformFromStorage(ctx, data, c)
	if err != nil {
		err = &corruptError{"data from the storage is not transformable", err}
	}
	return out, stale, err
}

// reportCorruptKey returns what Get reports for a corrupt object. The registry then
// offers its unsafe deletion.
func (s *Store) reportCorruptKey(key string, err error) error {
	var corrupt *corruptError
	if s.unsafeDelete && errors.As(err, &corrupt) {
		return storage.NewCorruptObjError(key, corrupt)
	}
	return err
}

// listErrors collects what a list could not read. Without unsafeDelete, the first error
// ends the list.
type listErrors struct {
	s       *Store
	corrupt []*storage.StorageError
	abort   error
}

var errTooManyCorrupt = errors.New("too many errors, the list is truncated")

// add records an error and reports whether the list should continue.
func (l *listErrors) add(key string, err error) bool {
	var corrupt *corruptError
	if !l.s.unsafeDelete || !errors.As(err, &corrupt) {
		l.abort = err
		return false
	}
	l.corrupt = append(l.corrupt, storage.NewCorruptObjError(key, corrupt))
	if len(l.corrupt) >= corruptMax {
		l.abort = errTooManyCorrupt
		return false
	}
	return true
}

// err is what GetList returns.
func (l *listErrors) err() error {
	if len(l.corrupt) == 0 {
		return l.abort
	}
	var causes []metav1.StatusCause
	for _, e := range l.corrupt {
		causes = append(causes, metav1.StatusCause{
			Type: metav1.CauseTypeUnexpectedServerResponse, Field: e.Key, Message: e.Error(),
		})
	}
	switch {
	case errors.Is(l.abort, errTooManyCorrupt):
		causes = append(causes, metav1.StatusCause{Type: metav1.CauseTypeTooMany, Message: l.abort.Error()})
	case l.abort != nil:
		causes = append(causes, metav1.StatusCause{
			Type: metav1.CauseTypeUnexpectedServerResponse, Message: l.abort.Error(),
		})
	}
	var more strings.Builder
	if n := len(l.corrupt) - 1; n > 0 {
		fmt.Fprintf(&more, " (and %d more)", n)
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusInternalServerError,
		Reason: metav1.StatusReasonStoreReadError,
		Details: &metav1.StatusDetails{
			Group: l.s.resource.Group, Kind: l.s.resource.Resource, Name: "list", Causes: causes,
		},
		Message: fmt.Sprintf("failed to read one or more %s from the storage: %v%s", l.s.resource, l.corrupt[0], more.String()),
	}}
}
