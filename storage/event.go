package storage

import (
	"context"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// sendChange sends c as seen through the watcher's selector.
func (w *watcher) sendChange(ctx context.Context, c change, t watch.EventType) error {
	ev, err := w.event(ctx, c, t)
	if err != nil || ev == nil {
		return err
	}
	if w.timed {
		ev.Object = &timedObject{Object: ev.Object, at: time.Unix(0, c.rec.time)}
	}
	return w.send(ctx, *ev)
}

func (w *watcher) send(ctx context.Context, ev watch.Event) error {
	select {
	case w.results <- ev:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.s.db.stop:
		return ErrClosed
	case <-w.s.end:
		return ErrWithdrawn
	}
}

// event returns what the client sees of c, or nil if nothing. If a change moves an
// object into the selector, the client sees it as Added. If a change moves it out, the
// client sees it as Deleted.
func (w *watcher) event(ctx context.Context, c change, t watch.EventType) (*watch.Event, error) {
	var cur, old runtime.Object
	var err error
	if t != watch.Deleted {
		if cur, err = w.s.object(ctx, c.rec); err != nil {
			return nil, internalError(err)
		}
	}
	if c.prev != nil && (t == watch.Deleted || (t == watch.Modified && !w.pred.Empty())) {
		if old, err = w.s.object(ctx, c.prev); err != nil {
			return nil, deletedCorrupt(t, err)
		}
	}
	now, before := w.selects(cur), w.selects(old)
	switch {
	case t == watch.Modified && w.pred.Empty(), now && before:
		return &watch.Event{Type: watch.Modified, Object: share(cur)}, nil
	case now:
		return &watch.Event{Type: watch.Added, Object: share(cur)}, nil
	case before:
		return &watch.Event{Type: watch.Deleted, Object: w.s.withRevision(old, c.rec.rev)}, nil
	}
	return nil, nil
}

func (w *watcher) selects(obj runtime.Object) bool {
	if obj == nil {
		return false
	}
	if w.pred.Empty() {
		return true
	}
	ok, err := w.pred.Matches(obj)
	return err == nil && ok
}

// deletedCorrupt is the error of a watch that sees an unreadable object deleted.
func deletedCorrupt(t watch.EventType, err error) error {
	var corrupt *corruptError
	if t != watch.Deleted || !errors.As(err, &corrupt) {
		return internalError(err)
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusInternalServerError,
		Reason:  metav1.StatusReasonStoreReadError,
		Message: "saw a DELETED event, but object data is corrupt - " + err.Error(),
	}}
}

// sendBookmark tells the client that it has seen everything up to w.rev.
func (w *watcher) sendBookmark(ctx context.Context, endOfInitial bool) error {
	obj := w.s.newFunc()
	if err := w.s.versioner.UpdateObject(obj, uint64(w.rev)); err != nil {
		return err
	}
	if endOfInitial {
		if err := storage.AnnotateInitialEventsEndBookmark(obj); err != nil {
			return err
		}
	}
	return w.send(ctx, watch.Event{Type: watch.Bookmark, Object: obj})
}

// timedObject tells upstream's watch cache when an event was made.
//
// Deviation: this is the time of the write by the cluster's clock. Upstream gives the
// wall time of decoding, for a latency metric.
type timedObject struct {
	runtime.Object
	at time.Time
}

var _ storage.WatchEventWithRecordTime = (*timedObject)(nil)

// GetObjectMeta implements metav1.ObjectMetaAccessor.
func (o *timedObject) GetObjectMeta() metav1.Object {
	m, err := meta.Accessor(o.Object)
	if err != nil {
		return nil
	}
	return m
}

// DeepCopyObject implements runtime.Object.
func (o *timedObject) DeepCopyObject() runtime.Object {
	return &timedObject{Object: o.Object.DeepCopyObject(), at: o.at}
}

// RecordTime implements storage.WatchEventWithRecordTime.
func (o *timedObject) RecordTime() time.Time { return o.at }

// Unwrap implements storage.WatchEventWithRecordTime.
func (o *timedObject) Unwrap() runtime.Object { return o.Object }
