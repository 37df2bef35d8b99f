// Package replicaset runs ReplicaSets and ReplicationControllers: it keeps as many
// Pods as each of them asks for.
//
// Invariant: what is to be done follows from the ReplicaSet and its Pods alone, so that
// a restart changes nothing.
//
// It follows k8s.io/kubernetes pkg/controller/replicaset v1.37.2, which upstream
// runs for ReplicationControllers too.
//
// Deviation: there are no expectations: the engine reads its own writes.
package replicaset

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name and ReplicationName are the reconcilers' names in the queue and in the event log.
const (
	Name            = "replicaset"
	ReplicationName = "replication"
)

// Reconciler reconciles ReplicaSets, or ReplicationControllers.
type Reconciler struct {
	kind  kind
	view  *engine.View
	api   engine.API
	who   engine.Identity
	pods  workload.Control
	index workload.Index
	// tallies are those of ReplicaSets that had a step since the server has started.
	tallies map[engine.Key]*tally
	// short are ReplicaSets whose status tells that they are short of Pods which have been
	// created meanwhile. Whoever follows the status is to see it before the next one.
	short map[engine.Key]bool
}

var _ engine.Replacer = (*Reconciler)(nil)

// Config is what a Reconciler of ReplicaSets needs.
type Config struct {
	engine.Host
	Gates workload.Gates
}

// New returns a Reconciler of ReplicaSets. It must be called before the engine starts.
func New(config Config) (*Reconciler, error) {
	r, err := newReconciler(config.Host, replicaSets(config.Gates))
	if err == nil {
		r.indexSiblings()
	}
	return r, err
}

// NewReplication returns a Reconciler of ReplicationControllers. It must be called before
// the engine starts.
func NewReplication(host engine.Host) (*Reconciler, error) {
	return newReconciler(host, replicationControllers())
}

func newReconciler(host engine.Host, k kind) (*Reconciler, error) {
	if err := host.ValidateTeller(k.name); err != nil {
		return nil, err
	}
	host.View.Track(k.resource)
	for _, allows := range []engine.Resource{engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts} {
		host.View.Track(allows)
	}
	who := engine.ControllerIdentity(k.account)
	return &Reconciler{
		kind: k, view: host.View, api: host.API, who: who,
		pods:    workload.Control{API: host.API, Recorder: host.Recorder, Who: who, Kind: k.gvk},
		index:   workload.NewIndex(host.View, engine.Pods, k.gvk),
		tallies: map[engine.Key]*tally{}, short: map[engine.Key]bool{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return r.kind.name }

// Asks implements engine.Replacer: a Pod that ends is replaced, whyever it did.
func (r *Reconciler) Asks(key engine.Key) int64 {
	obj, found := engine.Get[engine.Object](r.view, r.kind.resource, key.Namespace, key.Name)
	if !found {
		return 0
	}
	return obj.GetGeneration()
}

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case r.kind.resource:
		k := r.key(c.Object.GetNamespace(), c.Object.GetName())
		if c.Type == watch.Deleted {
			delete(r.tallies, k)
		}
		delete(r.short, k)
		return []engine.Key{k}
	case engine.Pods:
		r.recount(c)
		var keys []engine.Key
		for _, name := range workload.Concerned(c, r.kind.gvk, func() []string { return r.adopters(c.Object) }) {
			k := r.key(c.Object.GetNamespace(), name)
			// The commit of the status follows, after that of the Pod.
			if c.Type == watch.Added && r.short[k] {
				continue
			}
			keys = append(keys, k)
		}
		return keys
	case engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts:
		if workload.MayAllowMore(c) {
			return r.refused(c.Object.GetNamespace())
		}
	}
	return nil
}

// refused returns the keys of those in a namespace whose status tells a ReplicaFailure.
//
// Deviation: they try again at once when more may be allowed. Upstream's next try comes
// after a back-off, for which mode auto does not advance the clock.
func (r *Reconciler) refused(namespace string) []engine.Key {
	var keys []engine.Key
	for _, obj := range engine.List[engine.Object](r.view, r.kind.resource, namespace) {
		if slices.ContainsFunc(r.kind.read(obj).Status.Conditions, isFailure) {
			keys = append(keys, r.key(namespace, obj.GetName()))
		}
	}
	return keys
}

func (r *Reconciler) key(namespace, name string) engine.Key {
	return engine.Key{Controller: r.kind.name, Namespace: namespace, Name: name}
}

// adopters are the names of those that select a Pod.
func (r *Reconciler) adopters(pod engine.Object) []string {
	var names []string
	for _, obj := range engine.List[engine.Object](r.view, r.kind.resource, pod.GetNamespace()) {
		if selector, err := selectorOf(r.kind.read(obj)); err == nil && selector.Matches(labels.Set(pod.GetLabels())) {
			names = append(names, obj.GetName())
		}
	}
	return names
}

func selectorOf(rs *appsv1.ReplicaSet) (labels.Selector, error) {
	return metav1.LabelSelectorAsSelector(rs.Spec.Selector)
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	obj, found := engine.Get[engine.Object](r.view, r.kind.resource, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	rs := r.kind.read(obj)
	if next, ok := r.settled(rs, r.tallies[key]); ok {
		return engine.Wake{}, r.writeStatus(ctx, obj, rs.Status, next)
	}
	selector, err := selectorOf(rs)
	if err != nil {
		return engine.Wake{}, nil // validation has refused such a selector
	}
	owned := workload.Owned[*corev1.Pod](r.index, rs.Namespace, rs.Name)
	r.tallies[key] = newTally(rs, selector, owned)
	active, err := r.claimPods(ctx, rs, selector, owned)
	if err != nil {
		return engine.Wake{}, err
	}
	p := decide(rs, active, r.neighbours(rs, active), now)
	wake := engine.Progress(p.WakeAt)
	if p.Create > 0 {
		if at := failuresOf(rs, owned).until(replicas(rs), now); !at.IsZero() {
			p.Create = 0
			wake = wake.Sooner(engine.Routine(at))
		}
	}
	missed := r.apply(ctx, rs, p)
	next := status(rs, active, missed, now)
	if r.kind.terminating {
		next.TerminatingReplicas = new(terminating(rs, selector, owned))
	}
	if err := r.writeStatus(ctx, obj, rs.Status, next); err != nil {
		return engine.Wake{}, err
	}
	// To a Deployment, fewer Pods and then as many as before are progress.
	// Source: DeploymentProgressing in k8s.io/kubernetes pkg/controller/deployment/util v1.37.2.
	if r.kind.resource == engine.ReplicaSets && p.Create > 0 && next.Replicas < rs.Status.Replicas {
		r.short[key] = true
	}
	return wake, missed
}
