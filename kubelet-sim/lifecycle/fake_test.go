package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// fakeAPI is as much of an API server as a kubelet meets: it keeps objects,
// counts revisions and delivers commits.
type fakeAPI struct {
	mu       sync.Mutex
	engine   *engine.Engine
	revision int64
	objects  map[engine.Resource]map[types.NamespacedName]engine.Object
	writes   []string
	events   []*corev1.Event
	// history holds every state of every Pod.
	history []*corev1.Pod
}

func newFakeAPI(e *engine.Engine) *fakeAPI {
	return &fakeAPI{engine: e, objects: map[engine.Resource]map[types.NamespacedName]engine.Object{}}
}

func keyOf(obj engine.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

func (f *fakeAPI) commit(t watch.EventType, r engine.Resource, obj engine.Object) engine.Object {
	f.revision++
	obj.SetResourceVersion(fmt.Sprint(f.revision))
	if f.objects[r] == nil {
		f.objects[r] = map[types.NamespacedName]engine.Object{}
	}
	if t == watch.Deleted {
		delete(f.objects[r], keyOf(obj))
	} else {
		f.objects[r][keyOf(obj)] = obj
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		f.history = append(f.history, o)
	case *corev1.Event:
		f.events = append(f.events, o)
	}
	f.writes = append(f.writes, fmt.Sprintf("%s %s/%s", t, r, obj.GetName()))
	f.engine.Deliver(engine.Commit{Revision: f.revision, Type: t, Resource: r, Object: obj})
	return obj
}

func (f *fakeAPI) Create(_ context.Context, _ engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	obj = obj.DeepCopyObject().(engine.Object)
	if obj.GetName() == "" {
		obj.SetName(fmt.Sprintf("%s%d", obj.GetGenerateName(), f.revision+1))
	}
	if _, ok := f.objects[r][keyOf(obj)]; ok {
		return nil, apierrors.NewAlreadyExists(r.GroupResource(), obj.GetName())
	}
	if obj.GetUID() == "" {
		obj.SetUID(types.UID(fmt.Sprintf("uid-%d", f.revision+1)))
	}
	obj.SetCreationTimestamp(metav1.NewTime(f.engine.Now()))
	obj.SetGeneration(1)
	return f.commit(watch.Added, r, obj), nil
}

func (f *fakeAPI) Update(_ context.Context, _ engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.objects[r][keyOf(obj)]
	if !ok {
		return nil, apierrors.NewNotFound(r.GroupResource(), obj.GetName())
	}
	if rv := obj.GetResourceVersion(); rv != "" && rv != old.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.GroupResource(), obj.GetName(), fmt.Errorf("changed"))
	}
	next := obj.DeepCopyObject().(engine.Object)
	if pod, ok := next.(*corev1.Pod); ok && subresource == "status" {
		kept := old.(*corev1.Pod).DeepCopy()
		kept.Status = pod.Status
		next = kept
	}
	return f.commit(watch.Modified, r, next), nil
}

func (f *fakeAPI) Delete(_ context.Context, _ engine.Identity, r engine.Resource, key types.NamespacedName, opts metav1.DeleteOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.objects[r][key]
	if !ok {
		return apierrors.NewNotFound(r.GroupResource(), key.Name)
	}
	if p := opts.Preconditions; p != nil && *p.UID != old.GetUID() {
		return apierrors.NewConflict(r.GroupResource(), key.Name, fmt.Errorf("another UID"))
	}
	next := old.DeepCopyObject().(engine.Object)
	pod, isPod := next.(*corev1.Pod)
	if !isPod || opts.GracePeriodSeconds != nil && *opts.GracePeriodSeconds == 0 {
		f.commit(watch.Deleted, r, next)
		return nil
	}
	grace := int64(30)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		grace = *pod.Spec.TerminationGracePeriodSeconds
	}
	if opts.GracePeriodSeconds != nil {
		grace = *opts.GracePeriodSeconds
	}
	at := metav1.NewTime(f.engine.Now().Add(time.Duration(grace) * time.Second))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
	pod.Generation++
	f.commit(watch.Modified, r, pod)
	return nil
}

func (f *fakeAPI) DeleteCollection(context.Context, engine.Identity, engine.Resource, string, metav1.DeleteOptions) error {
	return fmt.Errorf("no kubelet does that")
}

func (f *fakeAPI) Bind(context.Context, engine.Identity, *corev1.Binding) error {
	return fmt.Errorf("no kubelet does that")
}

func (f *fakeAPI) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	obj, ok := f.objects[engine.Pods][types.NamespacedName{Namespace: "default", Name: name}]
	if !ok {
		t.Fatalf("there is no Pod %q", name)
	}
	return obj.(*corev1.Pod)
}
