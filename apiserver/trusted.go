package apiserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	storeerr "k8s.io/apiserver/pkg/storage/errors"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
)

// trusts reports whether Local creates, or updates, objects of a resource by a shortcut
// and without validation. What the embedded controllers and kubelets write follows from
// an object that was validated: a Job from its CronJob's template, a Pod from its
// Job's, an Event from the object that it is about. Most updates change only a status.
// Validating all of that again would cost more than the rest of the write. With
// Config.CheckTrusted, as in every test, it is validated nevertheless, and must be
// valid.
func trusts(gr schema.GroupResource, subresource string, create bool) bool {
	switch gr.String() {
	case "events", "events.events.k8s.io":
		return subresource == ""
	case "pods":
		return subresource == "" || subresource == "status" && !create
	case "jobs.batch":
		return subresource == "" && create || subresource == "status" && !create
	case "nodes", "cronjobs.batch", "podscripts.sim.kubesim.dev", "replicationcontrollers", "replicasets.apps", "deployments.apps":
		return subresource == "status" && !create
	case "leases.coordination.k8s.io":
		return subresource == "" && !create
	}
	return false
}

// keeper is a storage.Interface that can keep the objects themselves that it is given:
// see CreateKept and UpdateKept in package storage.
type keeper interface {
	CreateKept(ctx context.Context, key string, obj runtime.Object, ttl uint64) (runtime.Object, error)
	UpdateKept(ctx context.Context, key string, preconditions *storage.Preconditions, update storage.UpdateFunc) (runtime.Object, error)
	AsDecoded(obj runtime.Object)
}

// shortcut writes to a registry as its Store does, with the same strategy and the same
// admission. It leaves out what exists for clients that are not trusted: copies that
// admission may change, validation, warnings, wall time and random UIDs, which the
// stamper replaces. It is upstream's Store.Create and Update, k8s.io/apiserver
// pkg/registry/generic/registry v0.37.2, for stores without hooks and writers that keep
// no managed fields.
type shortcut struct {
	store  *genericregistry.Store
	keeper keeper
	// subresource is the subresource that is updated, or "" for the object.
	subresource string
	// check: see Config.CheckTrusted.
	check bool
}

// errLongWay says that the Store itself must make the write.
var errLongWay = errors.New("the registry's own way is to be taken")

// newShortcut returns nil if the store of a registry does not keep objects, as etcd
// does not.
func newShortcut(registry rest.Storage, subresource string, check bool) *shortcut {
	s := storeOf(reflect.ValueOf(registry))
	if s.BeginCreate != nil || s.AfterCreate != nil || s.BeginUpdate != nil || s.AfterUpdate != nil ||
		s.Decorator != nil || s.ShouldDeleteDuringUpdate != nil {
		panic(fmt.Sprintf("apiserver: the registry of %s has hooks, of which a shortcut knows nothing: see trusts", s.DefaultQualifiedResource))
	}
	k := keeperUnder(s.Storage.Storage)
	if k == nil {
		return nil
	}
	return &shortcut{store: s, keeper: k, subresource: subresource, check: check}
}

// keeperUnder returns the storage that keeps objects, below the layers for clients'
// requests, or nil if there is none. Each layer must have Unwrap; see
// restOptions.decorate.
func keeperUnder(s storage.Interface) keeper {
	for {
		if k, ok := s.(keeper); ok {
			return k
		}
		layer, ok := s.(interface{ Unwrap() storage.Interface })
		if !ok {
			return nil
		}
		s = layer.Unwrap()
	}
}

// create creates obj, which belongs to the store from then on. The error is errLongWay
// if the name is taken: then nothing was written.
func (s *shortcut) create(ctx context.Context, obj runtime.Object, trusted bool, admit rest.ValidateObjectFunc) (runtime.Object, error) {
	strategy := s.store.CreateStrategy
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	if m.GetName() == "" && m.GetGenerateName() != "" {
		m.SetName(strategy.GenerateName(m.GetGenerateName()))
	}
	strategy.PrepareForCreate(ctx, obj)
	if errs := s.validateNew(ctx, obj, m, trusted); len(errs) > 0 {
		return nil, apierrors.NewInvalid(s.kind(obj), m.GetName(), errs)
	}
	strategy.Canonicalize(obj)
	if err := s.unspoilt(obj, func() error { return admit(ctx, obj) }); err != nil {
		return nil, err
	}
	key, err := s.store.KeyFunc(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	ttl, err := s.ttl(obj, 0, false)
	if err != nil {
		return nil, err
	}
	if _, ok := obj.(*core.Event); !ok { // it has no part that is newer
		if obj, err = withDefaults(obj); err != nil {
			return nil, err
		}
	}
	out, err := s.keeper.CreateKept(ctx, key, obj, ttl)
	if storage.IsExist(err) {
		return nil, errLongWay
	}
	if err != nil {
		return nil, storeerr.InterpretCreateError(err, s.store.DefaultQualifiedResource, m.GetName())
	}
	return out, nil
}

// validateNew validates obj, unless it is trusted and plausible.
func (s *shortcut) validateNew(ctx context.Context, obj runtime.Object, m metav1.Object, trusted bool) field.ErrorList {
	strategy := s.store.CreateStrategy
	trusted = trusted && plausible(obj, m)
	if trusted && !s.check {
		return nil
	}
	errs := rest.ValidateCreate(ctx, obj, strategy)
	if trusted && len(errs) > 0 {
		panic(fmt.Sprintf("apiserver: a trusted %T is not valid, see trusts: %v\n%+v", obj, errs.ToAggregate(), obj))
	}
	return errs
}

// plausible checks what nobody has checked in a template: the finalizers in a Job's
// template, and all metadata in a CronJob's. Users may not set the labels that a Job's Pods
// get from the API server. An Indexed Job's name must leave room for its Pods' hostnames.
func plausible(obj runtime.Object, m metav1.Object) bool {
	switch obj := obj.(type) {
	case *core.Pod:
		return len(validation.ValidateFinalizers(m.GetFinalizers(), nil)) == 0
	case *batch.Job:
		return (obj.Spec.CompletionMode == nil || *obj.Spec.CompletionMode == batch.NonIndexedCompletion) && hasGeneratedLabels(obj) &&
			len(validation.ValidateObjectMetaAccessor(m, true, validation.NameIsDNSSubdomain, nil)) == 0
	}
	return true
}

// hasGeneratedLabels reports whether the labels of a Job's Pods are those that its strategy
// generates. It keeps a value that the template has already, and leaves the refusal to
// validation. Source: generateSelector in k8s.io/kubernetes pkg/registry/batch/job v1.37.2.
func hasGeneratedLabels(job *batch.Job) bool {
	labels, uid := job.Spec.Template.Labels, string(job.UID)
	return labels[batch.LegacyControllerUidLabel] == uid && labels[batch.ControllerUidLabel] == uid &&
		labels[batch.LegacyJobNameLabel] == job.Name && labels[batch.JobNameLabel] == job.Name
}

// update replaces an object with what next makes of it. admit may be nil. The error is
// errLongWay if the object does not exist, if the update would delete it, or if the
// update is refused.
func (s *shortcut) update(ctx context.Context, name string, next given, admit rest.ValidateObjectUpdateFunc) (runtime.Object, error) {
	key, err := s.store.KeyFunc(ctx, name)
	if err != nil {
		return nil, err
	}
	preconditions := &storage.Preconditions{}
	if p := next.Preconditions(); p != nil {
		preconditions.UID = p.UID
	}
	out, err := s.keeper.UpdateKept(ctx, key, preconditions, func(old runtime.Object, version storage.ResponseMeta) (obj runtime.Object, ttl *uint64, err error) {
		err = s.unspoilt(old, func() error {
			obj, err = s.propose(ctx, key, name, old, next, admit)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		expiry, err := s.ttl(obj, version.TTL, true)
		if err != nil || int64(expiry) == version.TTL {
			return obj, nil, err
		}
		return obj, &expiry, nil
	})
	if storage.IsNotFound(err) {
		return nil, errLongWay
	}
	if err != nil {
		return nil, storeerr.InterpretUpdateError(err, s.store.DefaultQualifiedResource, name)
	}
	return out, nil
}

// propose returns the new object and does not change the old one.
func (s *shortcut) propose(ctx context.Context, key, name string, old runtime.Object, next given, admit rest.ValidateObjectUpdateFunc) (runtime.Object, error) {
	// It has the defaults of the object that it was made from.
	convert := internalCopy
	if s.subresource == "status" {
		convert = internalStatus
	}
	obj, err := next.internal(ctx, old, convert)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return nil, err
	}
	switch m.GetResourceVersion() {
	case before.GetResourceVersion():
	case "":
		if !s.store.UpdateStrategy.AllowUnconditionalUpdate(ctx) {
			return nil, errLongWay
		}
		m.SetResourceVersion(before.GetResourceVersion())
	default:
		return nil, apierrors.NewConflict(s.store.DefaultQualifiedResource, name, errors.New(genericregistry.OptimisticLockErrorMsg))
	}
	if err := s.prepare(ctx, obj, old, m, before); err != nil {
		return nil, err
	}
	if admit != nil {
		if err := admit(ctx, obj, old); err != nil {
			return nil, err
		}
	}
	if genericregistry.ShouldDeleteDuringUpdate(ctx, key, obj, old) {
		return nil, errLongWay
	}
	return obj, nil
}

// doubtful reports whether an object is one that upstream's controllers, and so ours,
// write although validation may refuse it: a Job that ends while it is suspended has no
// startTime, but the API requires one for every finished Job.
func doubtful(obj runtime.Object) bool {
	job, ok := obj.(*batch.Job)
	return ok && job.Status.StartTime == nil
}

// prepare is rest.BeforeUpdate, k8s.io/apiserver pkg/registry/rest v0.37.2, without its
// warnings. It validates only what is doubtful.
func (s *shortcut) prepare(ctx context.Context, obj, old runtime.Object, m, before metav1.Object) error {
	strategy := s.store.UpdateStrategy
	m.SetGeneration(before.GetGeneration())
	s.prepareParts(ctx, obj, old)
	if m.GetUID() == "" {
		m.SetUID(before.GetUID())
	}
	if created := before.GetCreationTimestamp(); !created.IsZero() {
		m.SetCreationTimestamp(created)
	}
	if deletion := before.GetDeletionTimestamp(); deletion != nil {
		m.SetDeletionTimestamp(deletion)
	}
	if grace := before.GetDeletionGracePeriodSeconds(); grace != nil && m.GetDeletionGracePeriodSeconds() == nil {
		m.SetDeletionGracePeriodSeconds(grace)
	}
	if s.check || doubtful(obj) {
		// A client's request would contain nothing else, and validation compares times
		// with those of old, bit by bit.
		s.keeper.AsDecoded(obj)
		errs := rest.ValidateUpdate(ctx, obj, old, strategy)
		if len(errs) > 0 && !doubtful(obj) {
			panic(fmt.Sprintf("apiserver: a trusted update of a %T is not valid, see trusts: %v\nnew: %+v\nold: %+v", obj, errs.ToAggregate(), obj, old))
		}
		if len(errs) > 0 {
			return apierrors.NewInvalid(s.kind(obj), m.GetName(), errs)
		}
	}
	strategy.Canonicalize(obj)
	return nil
}

// prepareParts is the strategy's PrepareForUpdate. The strategies of Pods copy from old
// what the request may not change, its spec or its status. Then they write to it: they
// set fields of disabled features, which are nil, to nil. old is shared, and others may
// be reading it. So the strategies get an old object with another such part: obj's own
// status, or an empty spec. Only features that are always on decide about a status by
// the spec.
func (s *shortcut) prepareParts(ctx context.Context, obj, old runtime.Object) {
	pod, ok := obj.(*core.Pod)
	if !ok {
		s.store.UpdateStrategy.PrepareForUpdate(ctx, obj, old)
		return
	}
	shared := old.(*core.Pod)
	before := *shared
	if s.subresource == "status" {
		before.Spec = core.PodSpec{}
		s.store.UpdateStrategy.PrepareForUpdate(ctx, pod, &before)
		pod.Spec = shared.Spec
		return
	}
	before.Status = pod.Status
	s.store.UpdateStrategy.PrepareForUpdate(ctx, pod, &before)
	pod.Status = shared.Status
}

// internalStatus is internalCopy for a write of the status. It leaves out the spec of
// large objects: the strategy takes the spec from the old object.
func internalStatus(obj runtime.Object) (runtime.Object, error) {
	switch o := obj.(type) {
	case *corev1.Pod:
		bare := *o
		bare.Spec, obj = corev1.PodSpec{}, &bare
	case *batchv1.Job:
		bare := *o
		bare.Spec, obj = batchv1.JobSpec{}, &bare
	case *batchv1.CronJob:
		bare := *o
		bare.Spec, obj = batchv1.CronJobSpec{}, &bare
	case *appsv1.ReplicaSet:
		bare := *o
		bare.Spec, obj = appsv1.ReplicaSetSpec{}, &bare
	case *appsv1.Deployment:
		bare := *o
		bare.Spec, obj = appsv1.DeploymentSpec{}, &bare
	}
	return internalCopy(obj)
}

// unspoilt runs do, which should not change obj. If check is set, it verifies that.
func (s *shortcut) unspoilt(obj runtime.Object, do func() error) error {
	if !s.check {
		return do()
	}
	before := obj.DeepCopyObject()
	err := do()
	if !apiequality.Semantic.DeepEqual(before, obj) {
		panic(fmt.Sprintf("apiserver: a %T was changed that must not be\nbefore: %+v\nafter: %+v", obj, before, obj))
	}
	return err
}

// ttl is Store.calculateTTL.
func (s *shortcut) ttl(obj runtime.Object, present int64, update bool) (uint64, error) {
	if s.store.TTLFunc == nil {
		return uint64(present), nil
	}
	return s.store.TTLFunc(obj, uint64(present), update)
}

func (s *shortcut) kind(obj runtime.Object) schema.GroupKind {
	kinds, _, err := s.store.CreateStrategy.ObjectKinds(obj)
	if err != nil || len(kinds) == 0 {
		return schema.GroupKind{}
	}
	return kinds[0].GroupKind()
}

// given is the rest.UpdatedObjectInfo of an object in its external version. Unlike
// rest.DefaultUpdatedObjectInfo, it does not copy what is made for one attempt.
type given struct {
	obj Object
	// admit, if set, is mutating admission.
	admit func(ctx context.Context, obj, old runtime.Object) error
}

// Preconditions implements rest.UpdatedObjectInfo.
func (g given) Preconditions() *metav1.Preconditions {
	uid := g.obj.GetUID()
	if uid == "" {
		return nil
	}
	return &metav1.Preconditions{UID: &uid}
}

// UpdatedObject implements rest.UpdatedObjectInfo.
func (g given) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	return g.internal(ctx, old, internalize)
}

func (g given) internal(ctx context.Context, old runtime.Object, convert func(runtime.Object) (runtime.Object, error)) (runtime.Object, error) {
	obj, err := convert(g.obj)
	if err != nil {
		return nil, err
	}
	obj = kept(obj, old)
	if g.admit != nil {
		err = g.admit(ctx, obj, old)
	}
	return obj, err
}
