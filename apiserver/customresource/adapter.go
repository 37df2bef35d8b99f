package customresource

import (
	"bytes"
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// adapter shows the objects of a store in one version, by the schema that this version
// has now. The store has them as they were written, whichever version that was: its
// observers need no schema.
type adapter struct {
	// Interface is the store. What the adapter does not override concerns no object.
	storage.Interface
	// codec decodes to the version, with defaults and without unknown fields, and encodes
	// to the version in which objects are stored. asks says that a Service converts.
	codec                runtime.Codec
	asks                 bool
	newFunc, newListFunc func() runtime.Object
	// done is closed when the schema has changed: watches end, so that clients begin
	// them anew.
	done  chan struct{}
	close func()
}

var _ storage.Interface = (*adapter)(nil)

func newAdapter(inner storage.Interface, codec runtime.Codec, asks bool, newFunc, newListFunc func() runtime.Object) *adapter {
	a := &adapter{Interface: inner, codec: codec, asks: asks, newFunc: newFunc, newListFunc: newListFunc, done: make(chan struct{})}
	a.close = sync.OnceFunc(func() { close(a.done) })
	return a
}

// codecIn returns the codec, which asks in ctx.
func (a *adapter) codecIn(ctx context.Context) (runtime.Codec, error) {
	if !a.asks {
		return a.codec, nil
	}
	return codecIn(ctx, a.codec)
}

// shown returns a stored object in the adapter's version.
func (a *adapter) shown(ctx context.Context, stored runtime.Object) (runtime.Object, error) {
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, stored)
	if err != nil {
		return nil, err
	}
	codec, err := a.codecIn(ctx)
	if err != nil {
		return nil, err
	}
	obj, _, err := codec.Decode(data, nil, a.newFunc())
	return obj, err
}

// show is shown, into out.
func (a *adapter) show(ctx context.Context, stored *unstructured.Unstructured, out runtime.Object) error {
	obj, err := a.shown(ctx, stored)
	if err == nil {
		out.(*unstructured.Unstructured).Object = obj.(*unstructured.Unstructured).Object
	}
	return err
}

// stored returns an object of the adapter's version as it is stored.
func (a *adapter) stored(ctx context.Context, obj runtime.Object) (*unstructured.Unstructured, error) {
	codec, err := a.codecIn(ctx)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	if err := codec.Encode(obj, &data); err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	_, _, err = unstructured.UnstructuredJSONScheme.Decode(data.Bytes(), nil, out)
	return out, err
}

// Create implements storage.Interface.
func (a *adapter) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	in, err := a.stored(ctx, obj)
	if err != nil {
		return err
	}
	written := &unstructured.Unstructured{}
	if err := a.Interface.Create(ctx, key, in, written, ttl); err != nil || out == nil {
		return err
	}
	return a.show(ctx, written, out)
}

// Get implements storage.Interface.
func (a *adapter) Get(ctx context.Context, key string, opts storage.GetOptions, out runtime.Object) error {
	found := &unstructured.Unstructured{}
	if err := a.Interface.Get(ctx, key, opts, found); err != nil {
		return err
	}
	if found.Object == nil { // it is not there, and that is no error
		return runtime.SetZeroValue(out)
	}
	return a.show(ctx, found, out)
}

// Delete implements storage.Interface.
func (a *adapter) Delete(ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, _ runtime.Object, opts storage.DeleteOptions) error {
	last := &unstructured.Unstructured{}
	err := a.Interface.Delete(ctx, key, last, preconditions, func(ctx context.Context, obj runtime.Object) error {
		shown, err := a.shown(ctx, obj)
		if err != nil {
			return err
		}
		return validate(ctx, shown)
	}, nil, opts)
	if err != nil {
		return err
	}
	return a.show(ctx, last, out)
}

// GuaranteedUpdate implements storage.Interface.
func (a *adapter) GuaranteedUpdate(ctx context.Context, key string, out runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc, _ runtime.Object) error {
	written := &unstructured.Unstructured{}
	err := a.Interface.GuaranteedUpdate(ctx, key, written, ignoreNotFound, preconditions,
		func(input runtime.Object, res storage.ResponseMeta) (runtime.Object, *uint64, error) {
			before := a.newFunc()
			if res.ResourceVersion != 0 {
				var err error
				if before, err = a.shown(ctx, input); err != nil {
					return nil, nil, err
				}
			}
			after, ttl, err := tryUpdate(before, res)
			if err != nil {
				return nil, ttl, err
			}
			stored, err := a.stored(ctx, after)
			return stored, ttl, err
		}, nil)
	if err != nil {
		return err
	}
	return a.show(ctx, written, out)
}

// GetList implements storage.Interface.
func (a *adapter) GetList(ctx context.Context, key string, opts storage.ListOptions, listObj runtime.Object) error {
	found := &unstructured.UnstructuredList{}
	opts.Predicate = a.predicate(ctx, opts.Predicate)
	if err := a.Interface.GetList(ctx, key, opts, found); err != nil {
		return err
	}
	out := listObj.(*unstructured.UnstructuredList)
	out.Items = make([]unstructured.Unstructured, len(found.Items))
	for i := range found.Items {
		if err := ctx.Err(); err != nil {
			return storage.NewTimeoutError(key, "request did not complete within requested timeout")
		}
		if err := a.show(ctx, &found.Items[i], &out.Items[i]); err != nil {
			return err
		}
		found.Items[i].Object = nil
	}
	out.SetResourceVersion(found.GetResourceVersion())
	out.SetContinue(found.GetContinue())
	out.SetRemainingItemCount(found.GetRemainingItemCount())
	return nil
}

// predicate is pred for objects as they are stored. Only selectable fields need the
// object in the adapter's version.
func (a *adapter) predicate(ctx context.Context, pred storage.SelectionPredicate) storage.SelectionPredicate {
	inner := pred.GetAttrs
	if inner == nil || pred.Field == nil {
		return pred
	}
	for _, r := range pred.Field.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" {
			pred.GetAttrs = func(obj runtime.Object) (labels.Set, fields.Set, error) {
				shown, err := a.shown(ctx, obj)
				if err != nil {
					return nil, nil, err
				}
				return inner(shown)
			}
			break
		}
	}
	return pred
}

// Watch implements storage.Interface.
func (a *adapter) Watch(ctx context.Context, key string, opts storage.ListOptions) (watch.Interface, error) {
	opts.Predicate = a.predicate(ctx, opts.Predicate)
	inner, err := a.Interface.Watch(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	w := &watcher{a: a, inner: inner, results: make(chan watch.Event), stopped: make(chan struct{})}
	w.stop = sync.OnceFunc(func() {
		close(w.stopped)
		inner.Stop()
	})
	go w.run(ctx)
	return w, nil
}

// event is ev in the adapter's version.
func (a *adapter) event(ctx context.Context, ev watch.Event) watch.Event {
	stored, ok := ev.Object.(*unstructured.Unstructured)
	if !ok {
		return ev // an error
	}
	if ev.Type == watch.Bookmark {
		ev.Object = a.bookmark(stored)
		return ev
	}
	shown, err := a.shown(ctx, stored)
	if err != nil {
		return watch.Event{Type: watch.Error, Object: statusOf(err)}
	}
	ev.Object = shown
	return ev
}

// bookmark is an object of the adapter's kind that says what stored does.
func (a *adapter) bookmark(stored *unstructured.Unstructured) runtime.Object {
	obj := a.newFunc()
	if m, err := meta.Accessor(obj); err == nil {
		m.SetResourceVersion(stored.GetResourceVersion())
		if annotations := stored.GetAnnotations(); len(annotations) > 0 {
			m.SetAnnotations(annotations)
		}
	}
	return obj
}
