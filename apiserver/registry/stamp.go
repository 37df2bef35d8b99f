package registry

import (
	"context"
	"math"
	"slices"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/utils/ptr"
)

// Clock is the cluster's virtual time.
type Clock interface {
	Now() time.Time
}

// Random is the cluster's one source of randomness.
type Random interface {
	// UID returns a new UUID.
	UID() types.UID
	// Suffix returns n characters for a generated name.
	Suffix(n int) string
	// Uint64 returns the next number.
	Uint64() uint64
}

// Stamper puts virtual time and seeded randomness where upstream's library reads the
// wall clock and the global random source:
//
//	creationTimestamp, uid   rest.FillObjectMetaSystemFields
//	generateName             names.SimpleNameGenerator
//	deletionTimestamp        rest.BeforeDelete, registry.Store's finalizer paths
//	a Pod's conditions       its binding and eviction subresources
//	a budget's disruptedPods the eviction subresource of its Pods
//	a volume's phase         the strategies of PersistentVolumes
//	a request's conditions   the strategies of CertificateSigningRequests, and kubectl
//	an APIService's condition the strategy of local ones
//	a device's taints        the defaults of resource.k8s.io, see taint.go
//	Terminating              the deletion of CustomResourceDefinitions
//	managedFields[*].time    managedfields' updater
//	AGE, DURATION …          the printers, see table.go
//
// All of these are in k8s.io/apiserver and k8s.io/apimachinery v0.37.2. Stamper has no
// global state, so two clusters in one process do not disturb each other. A wrapper of
// the strategy stamps a creation, before anything is derived from the UID. A wrapper of
// the store stamps the rest.
type Stamper struct {
	Clock  Clock
	Random Random
}

// Apply wraps what s uses of the store to which it belongs, once.
func (s Stamper) Apply(store *registry.Store) {
	if _, done := store.TableConvertor.(tableConvertor); done {
		return
	}
	if store.CreateStrategy != nil {
		store.CreateStrategy = s.createStrategy(store.CreateStrategy)
	}
	if store.UpdateStrategy != nil && store.NewFunc != nil {
		store.UpdateStrategy = s.taintUpdates(store.NewFunc(), store.UpdateStrategy)
	}
	if store.TableConvertor != nil {
		store.TableConvertor = tableConvertor{inner: store.TableConvertor, clock: s.Clock}
	}
}

// createStrategy overrides PrepareForCreate and GenerateName. inner has an additional
// interface if it validates declaratively, and the wrapper must keep that one visible.
func (s Stamper) createStrategy(inner rest.RESTCreateStrategy) rest.RESTCreateStrategy {
	stamped := stampedStrategy{RESTCreateStrategy: inner, stamper: s}
	if declarative, ok := inner.(rest.DeclarativeValidationStrategy); ok {
		return declarativeStrategy{stampedStrategy: stamped, DeclarativeValidationStrategy: declarative}
	}
	return stamped
}

type stampedStrategy struct {
	rest.RESTCreateStrategy
	stamper Stamper
}

type declarativeStrategy struct {
	stampedStrategy
	rest.DeclarativeValidationStrategy
}

// PrepareForCreate runs before all other hooks that see the object's UID.
func (s stampedStrategy) PrepareForCreate(ctx context.Context, obj runtime.Object) {
	if m, err := meta.Accessor(obj); err == nil {
		m.SetUID(s.stamper.uid(ctx))
		if limits, ok := obj.(*core.LimitRange); ok && limits.Name == "" {
			limits.Name = string(limits.UID) // upstream takes a random UUID
		}
		m.SetCreationTimestamp(s.stamper.now())
	}
	s.stamper.stampTaints(obj)
	s.RESTCreateStrategy.PrepareForCreate(ctx, obj)
	if service, ok := obj.(*apiregistration.APIService); ok {
		for i := range service.Status.Conditions {
			service.Status.Conditions[i].LastTransitionTime = s.stamper.now()
		}
	}
	if volume, ok := obj.(*core.PersistentVolume); ok {
		volume.Status.LastPhaseTransitionTime = ptr.To(s.stamper.now())
	}
}

// uidKey is the key under which WithUID stores the UID.
type uidKey struct{}

// WithUID returns a context in which a created object gets this UID, and nothing is
// drawn from the source of randomness. If a new release adds an object to every new
// cluster, that must not change the names of everything that users create with a seed.
func WithUID(ctx context.Context, uid types.UID) context.Context {
	return context.WithValue(ctx, uidKey{}, uid)
}

func (s Stamper) uid(ctx context.Context) types.UID {
	if uid, ok := ctx.Value(uidKey{}).(types.UID); ok {
		return uid
	}
	return s.Random.UID()
}

// Bounds of a generated name. Source: maxNameLength and randomLength in
// k8s.io/apiserver pkg/storage/names v0.37.2.
const (
	generatedNameMax = 63
	suffixLength     = 5
)

// GenerateName is names.SimpleNameGenerator on the cluster's randomness.
func (s stampedStrategy) GenerateName(base string) string {
	if most := generatedNameMax - suffixLength; len(base) > most {
		base = base[:most]
	}
	return base + s.stamper.Random.Suffix(suffixLength)
}

func (s Stamper) now() metav1.Time {
	return metav1.NewTime(s.Clock.Now().UTC().Truncate(time.Second))
}

// Storage wraps inner so that all writes carry virtual time.
func (s Stamper) Storage(inner storage.Interface) storage.Interface {
	return stampedStorage{Interface: inner, stamper: s}
}

type stampedStorage struct {
	storage.Interface
	stamper Stamper
}

// Unwrap returns the storage below, for a writer that needs no stamps because it does
// not delete and keeps no managed fields.
func (s stampedStorage) Unwrap() storage.Interface { return s.Interface }

// Create implements storage.Interface.
func (s stampedStorage) Create(ctx context.Context, key string, obj, out runtime.Object, ttl uint64) error {
	if m, err := meta.Accessor(obj); err == nil {
		s.stamper.stampManagedFields(m, nil)
	}
	return s.Interface.Create(ctx, key, obj, out, ttl)
}

// GuaranteedUpdate implements storage.Interface.
func (s stampedStorage) GuaranteedUpdate(ctx context.Context, key string, dest runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, tryUpdate storage.UpdateFunc, cached runtime.Object) error {
	stamped := func(input runtime.Object, res storage.ResponseMeta) (runtime.Object, *uint64, error) {
		before := remember(input)
		out, ttl, err := tryUpdate(input, res)
		if err != nil {
			return out, ttl, err
		}
		if m, merr := meta.Accessor(out); merr == nil {
			s.stamper.stampManagedFields(m, before.managedFields)
			s.stamper.stampDeletion(m, before)
		}
		if pod, ok := out.(*core.Pod); ok && writesConditions(ctx) {
			s.stamper.stampConditions(pod, before.conditions)
		}
		if pdb, ok := out.(*policy.PodDisruptionBudget); ok && byServer(ctx) {
			s.stamper.stampDisruptions(pdb, before.budget)
		}
		if csr, ok := out.(*certificates.CertificateSigningRequest); ok {
			s.stamper.stampApproval(csr, before.approval)
		}
		if crd, ok := out.(*apiextensions.CustomResourceDefinition); ok && deletes(ctx) {
			s.stamper.stampTerminating(crd, before.terminating)
		}
		if volume, ok := out.(*core.PersistentVolume); ok && volume.Status.Phase != before.phase {
			volume.Status.LastPhaseTransitionTime = ptr.To(s.stamper.now())
		}
		return out, ttl, nil
	}
	return s.Interface.GuaranteedUpdate(ctx, key, dest, ignoreNotFound, preconditions, stamped, cached)
}

// former is what an object said before an update, which may change the object in place.
type former struct {
	deletion      *metav1.Time
	grace         int64
	managedFields []metav1.ManagedFieldsEntry
	conditions    []core.PodCondition
	budget        policy.PodDisruptionBudgetStatus
	phase         core.PersistentVolumePhase
	approval      []certificates.CertificateSigningRequestCondition
	terminating   metav1.Time
}

func remember(obj runtime.Object) former {
	m, err := meta.Accessor(obj)
	if err != nil {
		return former{}
	}
	f := former{managedFields: append([]metav1.ManagedFieldsEntry(nil), m.GetManagedFields()...)}
	if pod, ok := obj.(*core.Pod); ok {
		f.conditions = append([]core.PodCondition(nil), pod.Status.Conditions...)
	}
	if pdb, ok := obj.(*policy.PodDisruptionBudget); ok {
		f.budget = *pdb.Status.DeepCopy()
	}
	if volume, ok := obj.(*core.PersistentVolume); ok {
		f.phase = volume.Status.Phase
	}
	if csr, ok := obj.(*certificates.CertificateSigningRequest); ok {
		f.approval = slices.Clone(csr.Status.Conditions)
	}
	if crd, ok := obj.(*apiextensions.CustomResourceDefinition); ok {
		if c := apiextensions.FindCRDCondition(crd, apiextensions.Terminating); c != nil {
			f.terminating = c.LastTransitionTime
		}
	}
	if t := m.GetDeletionTimestamp(); t != nil {
		f.deletion = t.DeepCopy()
	}
	if g := m.GetDeletionGracePeriodSeconds(); g != nil {
		f.grace = *g
	}
	return f
}

// stampDeletion replaces the wall clock in a deletionTimestamp that the update has set
// or moved. BeforeDelete only ever shortens the grace period of an object that is being
// deleted, and never below the present.
//
// Deviation: if the virtual clock is behind the wall clock, BeforeDelete itself
// compares with the latter, and so shortens a shortened period to 1 s.
func (s Stamper) stampDeletion(m metav1.Object, before former) {
	after := m.GetDeletionTimestamp()
	if after == nil || (before.deletion != nil && before.deletion.Equal(after)) {
		return
	}
	var grace int64
	if g := m.GetDeletionGracePeriodSeconds(); g != nil {
		grace = *g
	}
	now := s.now()
	at := metav1.NewTime(now.Add(seconds(grace)))
	if before.deletion != nil {
		at = metav1.NewTime(before.deletion.Add(seconds(grace - before.grace)))
		if at.Before(&now) {
			at = now
			if grace != 0 {
				m.SetDeletionGracePeriodSeconds(ptr.To[int64](1)) // as BeforeDelete does
			}
		}
	}
	m.SetDeletionTimestamp(&at)
}

// seconds returns n seconds, or the longest Duration (292 years) if n is larger: a
// deletion after the end of virtual time never comes (engine.TimeMax).
func seconds(n int64) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	return time.Duration(min(max(n, -most), most)) * time.Second
}

// writesConditions reports whether the request is for one of the subresources
// that set a Pod's conditions themselves, at wall time: pod/storage's
// BindingREST and EvictionREST, k8s.io/kubernetes pkg/registry/core v1.37.2.
func writesConditions(ctx context.Context) bool {
	info, ok := genericrequest.RequestInfoFrom(ctx)
	return ok && (info.Subresource == "binding" || info.Subresource == "eviction")
}

// stampConditions puts virtual time on the conditions that are not in before.
func (s Stamper) stampConditions(pod *core.Pod, before []core.PodCondition) {
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		same := func(old core.PodCondition) bool {
			return old.Type == c.Type && old.LastTransitionTime.Equal(&c.LastTransitionTime)
		}
		if !c.LastTransitionTime.IsZero() && !slices.ContainsFunc(before, same) {
			c.LastTransitionTime = s.now()
		}
	}
}

// stampApproval puts virtual time on the times of conditions that are not in before.
//
// Deviation: kubectl certificate approve sends the wall clock of its machine, which a
// real API server stores. From that time on, the cleaner waits an hour.
func (s Stamper) stampApproval(csr *certificates.CertificateSigningRequest, before []certificates.CertificateSigningRequestCondition) {
	for i := range csr.Status.Conditions {
		c := &csr.Status.Conditions[i]
		var update, transition bool
		for _, old := range before {
			update = update || old.Type == c.Type && old.LastUpdateTime.Equal(&c.LastUpdateTime)
			transition = transition || old.Type == c.Type && old.LastTransitionTime.Equal(&c.LastTransitionTime)
		}
		if !update {
			c.LastUpdateTime = s.now()
		}
		if !transition {
			c.LastTransitionTime = s.now()
		}
	}
}

// byServer reports whether the API server itself makes the request. EvictionREST
// records what it evicts in the budget's status, at wall time.
func byServer(ctx context.Context) bool {
	u, ok := genericrequest.UserFrom(ctx)
	return ok && u.GetName() == user.APIServerUser
}

// stampDisruptions puts virtual time on the disruptions and conditions that are
// not in before.
func (s Stamper) stampDisruptions(pdb *policy.PodDisruptionBudget, before policy.PodDisruptionBudgetStatus) {
	for pod, at := range pdb.Status.DisruptedPods {
		if old, ok := before.DisruptedPods[pod]; !ok || !old.Equal(&at) {
			pdb.Status.DisruptedPods[pod] = s.now()
		}
	}
	for i := range pdb.Status.Conditions {
		c := &pdb.Status.Conditions[i]
		if old := meta.FindStatusCondition(before.Conditions, c.Type); old == nil || old.Status != c.Status {
			c.LastTransitionTime = s.now()
		}
	}
}

// stampManagedFields puts virtual time on the entries that are not in before.
//
// Deviation: an entry that the client sends with a time of its own gets the present,
// too. Nothing here tells it from one that upstream's updater has made by the wall clock.
func (s Stamper) stampManagedFields(m metav1.Object, before []metav1.ManagedFieldsEntry) {
	entries := m.GetManagedFields()
	if len(entries) == 0 {
		return
	}
	now := s.now()
	for i := range entries {
		if entries[i].Time != nil && !containsEntry(before, &entries[i]) {
			entries[i].Time = &now
		}
	}
	m.SetManagedFields(entries)
}

func containsEntry(entries []metav1.ManagedFieldsEntry, e *metav1.ManagedFieldsEntry) bool {
	for i := range entries {
		o := &entries[i]
		if o.Manager == e.Manager && o.Operation == e.Operation && o.APIVersion == e.APIVersion &&
			o.Subresource == e.Subresource && o.Time.Equal(e.Time) {
			return true
		}
	}
	return false
}
