// Package statefulset runs StatefulSets: Pods with names and claims of their own, which
// come and go in order.
//
// Invariant: what a step does follows from the StatefulSet, its Pods, its
// ControllerRevisions and its claims.
//
// It follows k8s.io/kubernetes pkg/controller/statefulset v1.37.2. What only computes is
// called: pkg/controller/history.
package statefulset

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/history"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "statefulset"

// Reconciler reconciles StatefulSets.
type Reconciler struct {
	view      *engine.View
	api       engine.API
	who       engine.Identity
	recorder  *engine.EventRecorder
	gates     workload.Gates
	control   workload.Control
	pods      workload.Index
	revisions workload.Index
	progress  workload.Milestones
}

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	Gates workload.Gates
}

var _ engine.Replacer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(config Config) (*Reconciler, error) {
	host := config.Host
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.StatefulSets, engine.PersistentVolumeClaims, engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts)
	who := engine.ControllerIdentity("statefulset-controller")
	return &Reconciler{
		view: host.View, api: host.API, who: who, recorder: host.Recorder, gates: config.Gates,
		control:   workload.Control{API: host.API, Recorder: host.Recorder, Who: who, Kind: kind()},
		pods:      workload.NewIndex(host.View, engine.Pods, kind()),
		revisions: workload.NewIndex(host.View, engine.ControllerRevisions, kind()),
		progress:  workload.Milestones{},
	}, nil
}

func kind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("StatefulSet") }

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Asks implements engine.Replacer. A Pod that ends is replaced, whyever it did. That there
// are more Pods than ever, or more with a new template, is progress.
func (r *Reconciler) Asks(key engine.Key) int64 { return r.progress.Of(key) }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	namespace := c.Object.GetNamespace()
	switch c.Resource {
	case engine.StatefulSets:
		set := c.Object.(*appsv1.StatefulSet)
		k := key(namespace, set.Name)
		r.progress.Observe(k, c.Type == watch.Deleted, set.Status.ObservedGeneration, set.Status.Replicas, set.Status.UpdatedReplicas)
		return []engine.Key{k}
	case engine.Pods:
		var keys []engine.Key
		for _, name := range workload.Concerned(c, kind(), func() []string { return r.adopters(c.Object) }) {
			keys = append(keys, key(namespace, name))
		}
		return keys
	case engine.PersistentVolumeClaims:
		if c.Type == watch.Deleted {
			return r.claimants(c.Object)
		}
	case engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts:
		if workload.MayAllowMore(c) {
			return r.short(namespace, func(*appsv1.StatefulSet) bool { return true })
		}
	}
	return nil
}

func key(namespace, name string) engine.Key {
	return engine.Key{Controller: Name, Namespace: namespace, Name: name}
}

// adopters are the names of the StatefulSets that select a Pod.
func (r *Reconciler) adopters(pod engine.Object) []string {
	var names []string
	for _, set := range engine.List[*appsv1.StatefulSet](r.view, engine.StatefulSets, pod.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(pod.GetLabels())) {
			names = append(names, set.Name)
		}
	}
	return names
}

// claimants are the keys of the StatefulSets that may have waited for a claim to go.
func (r *Reconciler) claimants(claim engine.Object) []engine.Key {
	return r.short(claim.GetNamespace(), func(set *appsv1.StatefulSet) bool {
		_, ordinal := parentAndOrdinal(claim.GetName())
		return slices.ContainsFunc(set.Spec.VolumeClaimTemplates, func(template corev1.PersistentVolumeClaim) bool {
			return claim.GetName() == claimName(set, template.Name, ordinal)
		})
	})
}

// short returns the keys of those in a namespace that have not all their Pods, or not all
// of them running.
//
// Deviation: they try again at once when more may be allowed, and when a claim has gone.
// Upstream's next try comes after a back-off, for which mode auto does not advance the
// clock, or with the next change of a Pod.
func (r *Reconciler) short(namespace string, concerns func(*appsv1.StatefulSet) bool) []engine.Key {
	var keys []engine.Key
	for _, set := range engine.List[*appsv1.StatefulSet](r.view, engine.StatefulSets, namespace) {
		if int(set.Status.ReadyReplicas) < replicasOf(set) && concerns(set) {
			keys = append(keys, key(namespace, set.Name))
		}
	}
	return keys
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	set, found := engine.Get[*appsv1.StatefulSet](r.view, engine.StatefulSets, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return engine.Wake{}, nil // validation has refused such a selector
	}
	revisions, err := r.claimRevisions(ctx, set, selector)
	if err != nil {
		return engine.Wake{}, err
	}
	pods, err := r.claimPods(ctx, set, selector)
	if err != nil {
		return engine.Wake{}, err
	}
	p, err := decide(set, pods, revisions, r.cluster(set.Namespace), now)
	if err != nil {
		return engine.Wake{}, err
	}
	if err := r.apply(ctx, set, p); err != nil && !workload.NamespaceEnds(err) {
		return engine.Wake{}, err
	}
	return engine.Progress(p.WakeAt), nil
}

func (r *Reconciler) cluster(namespace string) cluster {
	return cluster{
		Gates: r.gates,
		Claim: func(name string) (*corev1.PersistentVolumeClaim, bool) {
			return engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, namespace, name)
		},
		Revision: func(name string) (*appsv1.ControllerRevision, bool) {
			return engine.Get[*appsv1.ControllerRevision](r.view, engine.ControllerRevisions, namespace, name)
		},
	}
}

// claimRevisions returns set's revisions, sorted, after adoptions. None is released.
func (r *Reconciler) claimRevisions(ctx context.Context, set *appsv1.StatefulSet, selector labels.Selector) ([]*appsv1.ControllerRevision, error) {
	claims := workload.Claim(set, selector,
		workload.Owned[*appsv1.ControllerRevision](r.revisions, set.Namespace, set.Name),
		workload.Orphans[*appsv1.ControllerRevision](r.revisions, set.Namespace),
		func(*appsv1.ControllerRevision) bool { return true },
	)
	claims.Release = nil
	revisions, err := workload.Carry(ctx, &r.control, engine.ControllerRevisions, set, claims)
	history.SortControllerRevisions(revisions)
	return revisions, err
}

// claimPods returns set's Pods, by name, after adoptions and releases. A Pod of set that is
// not named as such is released.
func (r *Reconciler) claimPods(ctx context.Context, set *appsv1.StatefulSet, selector labels.Selector) ([]*corev1.Pod, error) {
	owned := workload.Owned[*corev1.Pod](r.pods, set.Namespace, set.Name)
	claims := workload.Claim(set, selector, owned, workload.Orphans[*corev1.Pod](r.pods, set.Namespace),
		func(pod *corev1.Pod) bool { return isMember(set, pod) })
	for _, pod := range owned {
		if !isMember(set, pod) && metav1.IsControlledBy(pod, set) && set.DeletionTimestamp == nil {
			claims.Release = append(claims.Release, pod)
		}
	}
	return r.control.Claim(ctx, set, claims)
}
