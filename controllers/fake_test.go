package controllers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// fakeAPI is an API server in a map: enough of creation, updates, finalizers
// and deletion for reconcilers to run against, and nothing of validation.
type fakeAPI struct {
	t      *testing.T
	engine *engine.Engine

	mu       sync.Mutex
	revision int64
	objects  map[string]engine.Object
	// failCreate, if set, refuses creations.
	failCreate func(engine.Resource, engine.Object) error
	// failUpdate, if set, refuses updates of an object or of its subresource.
	failUpdate func(r engine.Resource, subresource, name string) error
	// failDelete, if set, refuses deletions of single objects.
	failDelete func(r engine.Resource, name string) error
	// failCollection, if set, refuses to delete collections.
	failCollection func(engine.Resource) error
	// writes counts the calls, by verb and resource.
	writes map[string]int
}

func newFakeAPI(t *testing.T, e *engine.Engine) *fakeAPI {
	return &fakeAPI{t: t, engine: e, objects: map[string]engine.Object{}, writes: map[string]int{}}
}

func path(r engine.Resource, namespace, name string) string {
	return fmt.Sprintf("%s/%s/%s", r, namespace, name)
}

// clone copies an object as storing it does: instants lose their fractions.
func clone[T engine.Object](t *testing.T, obj T) T {
	t.Helper()
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	out := reflect.New(reflect.TypeOf(obj).Elem()).Interface().(T)
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (f *fakeAPI) commit(kind watch.EventType, r engine.Resource, obj, old engine.Object) engine.Object {
	f.revision++
	obj.SetResourceVersion(fmt.Sprint(f.revision))
	key := path(r, obj.GetNamespace(), obj.GetName())
	if kind == watch.Deleted {
		delete(f.objects, key)
	} else {
		f.objects[key] = obj
	}
	f.engine.Deliver(engine.Commit{Revision: f.revision, Type: kind, Resource: r, Object: obj, Old: old})
	return obj
}

func (f *fakeAPI) note(verb string, r engine.Resource, subresource string) {
	key := verb + " " + string(r)
	if subresource != "" {
		key += "/" + subresource
	}
	f.writes[key]++
}

func (f *fakeAPI) Create(_ context.Context, _ engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("create", r, "")
	if f.failCreate != nil {
		if err := f.failCreate(r, obj); err != nil {
			return nil, err
		}
	}
	obj = clone(f.t, obj)
	if obj.GetName() == "" {
		obj.SetName(obj.GetGenerateName() + f.engine.Random().Suffix(5))
	}
	if _, exists := f.objects[path(r, obj.GetNamespace(), obj.GetName())]; exists {
		return nil, apierrors.NewAlreadyExists(r.GroupResource(), obj.GetName())
	}
	obj.SetUID(f.engine.Random().UID())
	obj.SetGeneration(1)
	obj.SetCreationTimestamp(metav1.NewTime(f.engine.Now().Truncate(time.Second)))
	switch o := obj.(type) {
	case *corev1.Pod:
		o.Status = corev1.PodStatus{Phase: corev1.PodPending}
		if o.Spec.SchedulerName == "" {
			o.Spec.SchedulerName = corev1.DefaultSchedulerName
		}
	case *corev1.Namespace:
		o.Status.Phase = corev1.NamespaceActive
		o.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	case *batchv1.Job:
		defaultJob(o)
	}
	return f.commit(watch.Added, r, obj, nil), nil
}

// defaultJob does what the API server's defaulting and strategy do.
func defaultJob(job *batchv1.Job) {
	one, six := int32(1), int32(6)
	if job.Spec.Parallelism == nil {
		job.Spec.Parallelism = &one
		if job.Spec.Completions == nil {
			job.Spec.Completions = &one
		}
	}
	if job.Spec.BackoffLimit == nil {
		job.Spec.BackoffLimit = &six
	}
	if job.Spec.Selector == nil {
		labels := map[string]string{batchv1.ControllerUidLabel: string(job.UID)}
		job.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		job.Spec.Template.Labels = maps.Clone(labels)
		job.Spec.Template.Labels[batchv1.JobNameLabel] = job.Name
	}
}

func (f *fakeAPI) Update(_ context.Context, _ engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("update", r, subresource)
	if f.failUpdate != nil {
		if err := f.failUpdate(r, subresource, obj.GetName()); err != nil {
			return nil, err
		}
	}
	old, ok := f.objects[path(r, obj.GetNamespace(), obj.GetName())]
	if !ok {
		return nil, apierrors.NewNotFound(r.GroupResource(), obj.GetName())
	}
	if obj.GetResourceVersion() != "" && obj.GetResourceVersion() != old.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.GroupResource(), obj.GetName(), fmt.Errorf("have %s, got %s", old.GetResourceVersion(), obj.GetResourceVersion()))
	}
	next := clone(f.t, obj)
	switch subresource {
	case "status":
		next = withStatus(clone(f.t, old), next)
	case "finalize":
		ns := clone(f.t, old).(*corev1.Namespace)
		ns.Spec.Finalizers = next.(*corev1.Namespace).Spec.Finalizers
		next = ns
	default:
		next = withStatus(next, old)
		next.SetDeletionTimestamp(old.GetDeletionTimestamp())
		next.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	}
	if next.GetDeletionTimestamp() != nil && free(next) {
		return f.commit(watch.Deleted, r, next, old), nil
	}
	return f.commit(watch.Modified, r, next, old), nil
}

// free reports whether nothing keeps an object that is being deleted.
func free(obj engine.Object) bool {
	ns, ok := obj.(*corev1.Namespace)
	return len(obj.GetFinalizers()) == 0 && gracePeriod(obj) == 0 && (!ok || len(ns.Spec.Finalizers) == 0)
}

func gracePeriod(obj engine.Object) int64 {
	if s := obj.GetDeletionGracePeriodSeconds(); s != nil {
		return *s
	}
	return 0
}

// withStatus returns obj with the status of from.
func withStatus(obj, from engine.Object) engine.Object {
	dst := reflect.ValueOf(obj).Elem().FieldByName("Status")
	if dst.IsValid() {
		dst.Set(reflect.ValueOf(from).Elem().FieldByName("Status"))
	}
	return obj
}

func (f *fakeAPI) Delete(_ context.Context, _ engine.Identity, r engine.Resource, key types.NamespacedName, opts metav1.DeleteOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("delete", r, "")
	if f.failDelete != nil {
		if err := f.failDelete(r, key.Name); err != nil {
			return err
		}
	}
	old, ok := f.objects[path(r, key.Namespace, key.Name)]
	if !ok {
		return apierrors.NewNotFound(r.GroupResource(), key.Name)
	}
	if p := opts.Preconditions; p != nil && p.UID != nil && *p.UID != old.GetUID() {
		return apierrors.NewConflict(r.GroupResource(), key.Name, fmt.Errorf("UID is %s, not %s", old.GetUID(), *p.UID))
	}
	if p := opts.Preconditions; p != nil && p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion() {
		return apierrors.NewConflict(r.GroupResource(), key.Name, fmt.Errorf("have %s, got %s", old.GetResourceVersion(), *p.ResourceVersion))
	}
	f.delete(r, old, opts)
	return nil
}

func (f *fakeAPI) delete(r engine.Resource, old engine.Object, opts metav1.DeleteOptions) {
	next := clone(f.t, old)
	grace := int64(0)
	if pod, ok := old.(*corev1.Pod); ok && pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		grace = 30
	}
	if opts.GracePeriodSeconds != nil {
		grace = *opts.GracePeriodSeconds
	}
	if p := opts.PropagationPolicy; p != nil {
		switch *p {
		case metav1.DeletePropagationForeground:
			next.SetFinalizers(append(next.GetFinalizers(), metav1.FinalizerDeleteDependents))
		case metav1.DeletePropagationOrphan:
			next.SetFinalizers(append(next.GetFinalizers(), metav1.FinalizerOrphanDependents))
		}
	}
	if next.GetDeletionTimestamp() == nil || grace < gracePeriod(next) {
		at := metav1.NewTime(f.engine.Now().Add(time.Duration(grace) * time.Second).Truncate(time.Second))
		next.SetDeletionTimestamp(&at)
		next.SetDeletionGracePeriodSeconds(&grace)
	}
	if ns, ok := next.(*corev1.Namespace); ok {
		ns.Status.Phase = corev1.NamespaceTerminating
	}
	if free(next) {
		f.commit(watch.Deleted, r, next, old)
		return
	}
	if !reflect.DeepEqual(next, clone(f.t, old)) {
		f.commit(watch.Modified, r, next, old)
	}
}

func (f *fakeAPI) DeleteCollection(_ context.Context, _ engine.Identity, r engine.Resource, namespace string, opts metav1.DeleteOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("deletecollection", r, "")
	if f.failCollection != nil {
		if err := f.failCollection(r); err != nil {
			return err
		}
	}
	prefix := path(r, namespace, "")
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix {
			f.delete(r, f.objects[key], opts)
		}
	}
	return nil
}

func (f *fakeAPI) Bind(_ context.Context, _ engine.Identity, b *corev1.Binding) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("bind", engine.Pods, "")
	old, ok := f.objects[path(engine.Pods, b.Namespace, b.Name)]
	if !ok {
		return apierrors.NewNotFound(engine.Pods.GroupResource(), b.Name)
	}
	pod := clone(f.t, old).(*corev1.Pod)
	pod.Spec.NodeName = b.Target.Name
	pod.Generation++
	f.commit(watch.Modified, engine.Pods, pod, old)
	return nil
}

func list[T engine.Object](f *fakeAPI) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []T
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if obj, ok := f.objects[key].(T); ok {
			out = append(out, obj)
		}
	}
	return out
}

func get[T engine.Object](f *fakeAPI, r engine.Resource, namespace, name string) (T, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	obj, ok := f.objects[path(r, namespace, name)].(T)
	return obj, ok
}

// start is the first instant of every story.
func start() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// world is a running engine with the fake API.
type world struct {
	*fakeAPI
	log *bytes.Buffer
}

// newWorld starts an engine in the mode with the reconcilers that build makes.
func newWorld(t *testing.T, mode engine.Mode, build func(*engine.Engine, *fakeAPI) []engine.Reconciler) *world {
	t.Helper()
	log := &bytes.Buffer{}
	e, err := engine.New(engine.Config{Start: start(), Seed: 7, Mode: mode, Speed: 1, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := newFakeAPI(t, e)
	e.Register(build(e, f)...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Errorf("engine: %v", err)
		}
	})
	return &world{fakeAPI: f, log: log}
}

// do lets one write from outside in and waits until the cluster has settled.
func (w *world) do(write func(context.Context) error) {
	w.t.Helper()
	leave, err := w.engine.Enter(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := write(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := leave(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

var client = engine.Identity{User: "kubernetes-admin"}

func (w *world) create(r engine.Resource, obj engine.Object) {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		_, err := w.Create(ctx, client, r, obj)
		return err
	})
}

func (w *world) remove(r engine.Resource, namespace, name string, opts metav1.DeleteOptions) {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		return w.Delete(ctx, client, r, types.NamespacedName{Namespace: namespace, Name: name}, opts)
	})
}

func (w *world) advance(d time.Duration) {
	w.t.Helper()
	if err := w.engine.Advance(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}
