package customresource

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher is a watch of an adapter.
type watcher struct {
	a       *adapter
	inner   watch.Interface
	results chan watch.Event
	stopped chan struct{}
	stop    func()
}

// Stop implements watch.Interface.
func (w *watcher) Stop() { w.stop() }

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.results }

// run passes on what the store's watch says, until it ends, or until an object cannot be
// shown.
func (w *watcher) run(ctx context.Context) {
	defer close(w.results)
	defer w.inner.Stop()
	for {
		var ev watch.Event
		var ok bool
		select {
		case ev, ok = <-w.inner.ResultChan():
		case <-w.a.done:
		case <-w.stopped:
		}
		if !ok {
			return
		}
		ev = w.a.event(ctx, ev)
		select {
		case w.results <- ev:
		case <-w.a.done:
			return
		case <-w.stopped:
			return
		}
		if ev.Type == watch.Error {
			return
		}
	}
}

// statusOf is err as the last event of a watch.
func statusOf(err error) *metav1.Status {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(fmt.Errorf("watch: %w", err))
	}
	s := status.Status()
	return &s
}
