// Package deployment runs Deployments: it makes a ReplicaSet for each template, scales
// the new one up and the old ones down, and says how the rollout goes.
//
// Invariant: what a step does follows from the Deployment, its ReplicaSets and, for the
// strategy Recreate, whether Pods of theirs still run.
//
// It follows k8s.io/kubernetes pkg/controller/deployment v1.37.2. What only computes is
// called: its package util.
package deployment

import (
	"context"
	"math"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "deployment"

// Reconciler reconciles Deployments.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	who      engine.Identity
	recorder *engine.EventRecorder
	gates    workload.Gates
	sets     workload.Index
	pods     workload.Index
}

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	Gates workload.Gates
}

var _ engine.Retrier = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(config Config) (*Reconciler, error) {
	host := config.Host
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.Deployments)
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder, who: engine.ControllerIdentity("deployment-controller"), gates: config.Gates,
		sets: workload.NewIndex(host.View, engine.ReplicaSets, kind()),
		pods: workload.NewIndex(host.View, engine.Pods, setKind()),
	}, nil
}

func kind() schema.GroupVersionKind    { return appsv1.SchemeGroupVersion.WithKind("Deployment") }
func setKind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("ReplicaSet") }

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// retriesMax is how often a Deployment that fails is tried again. Source: maxRetries in
// k8s.io/kubernetes pkg/controller/deployment v1.37.2.
const retriesMax = 15

// Retry implements engine.Retrier: after retriesMax tries, a failing Deployment waits for
// a change.
func (r *Reconciler) Retry(n int, _ error) time.Duration {
	if n%(retriesMax+1) == 0 {
		return math.MaxInt64
	}
	return 5 * time.Millisecond << (n%(retriesMax+1) - 1)
}

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	namespace := c.Object.GetNamespace()
	switch c.Resource {
	case engine.Deployments:
		return []engine.Key{key(namespace, c.Object.GetName())}
	case engine.ReplicaSets:
		var keys []engine.Key
		for _, name := range workload.Concerned(c, kind(), func() []string { return r.adopters(c.Object) }) {
			keys = append(keys, key(namespace, name))
		}
		return keys
	case engine.Pods:
		if c.Type != watch.Deleted {
			return nil
		}
		if d, found := r.deploymentOf(c.Object); found && d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			return []engine.Key{key(namespace, d.Name)}
		}
	}
	return nil
}

func key(namespace, name string) engine.Key {
	return engine.Key{Controller: Name, Namespace: namespace, Name: name}
}

// adopters are the names of the Deployments that select a ReplicaSet.
func (r *Reconciler) adopters(rs engine.Object) []string {
	var names []string
	for _, d := range engine.List[*appsv1.Deployment](r.view, engine.Deployments, rs.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(rs.GetLabels())) {
			names = append(names, d.Name)
		}
	}
	return names
}

// deploymentOf returns the Deployment of a Pod's ReplicaSet.
func (r *Reconciler) deploymentOf(pod engine.Object) (*appsv1.Deployment, bool) {
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil || !workload.IsOf(ref, setKind()) {
		return nil, false
	}
	rs, found := engine.Get[*appsv1.ReplicaSet](r.view, engine.ReplicaSets, pod.GetNamespace(), ref.Name)
	if !found || rs.UID != ref.UID {
		return nil, false
	}
	ref = metav1.GetControllerOfNoCopy(rs)
	if ref == nil || !workload.IsOf(ref, kind()) {
		return nil, false
	}
	d, found := engine.Get[*appsv1.Deployment](r.view, engine.Deployments, pod.GetNamespace(), ref.Name)
	return d, found && d.UID == ref.UID
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	d, found := engine.Get[*appsv1.Deployment](r.view, engine.Deployments, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	sets, err := r.claim(ctx, d)
	if err != nil {
		return engine.Wake{}, err
	}
	p, err := decide(d, sets, cluster{
		Gates:   r.gates,
		Running: func(set types.UID, name string) bool { return r.runs(d.Namespace, set, name) },
		Named: func(name string) (*appsv1.ReplicaSet, bool) {
			return engine.Get[*appsv1.ReplicaSet](r.view, engine.ReplicaSets, d.Namespace, name)
		},
	}, now)
	if err != nil {
		return engine.Wake{}, err
	}
	if err := r.apply(ctx, d, p, now); err != nil && !workload.NamespaceEnds(err) {
		return engine.Wake{}, err
	}
	return engine.Progress(p.WakeAt), nil
}

// claim returns the ReplicaSets of d, by name, after adoptions and releases.
func (r *Reconciler) claim(ctx context.Context, d *appsv1.Deployment) ([]*appsv1.ReplicaSet, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.Empty() {
		return nil, nil // validation has refused such a selector
	}
	claims := workload.Claim(d, selector,
		workload.Owned[*appsv1.ReplicaSet](r.sets, d.Namespace, d.Name),
		workload.Orphans[*appsv1.ReplicaSet](r.sets, d.Namespace),
		func(*appsv1.ReplicaSet) bool { return true },
	)
	control := workload.Control{API: r.api, Recorder: r.recorder, Who: r.who, Kind: kind()}
	return workload.Carry(ctx, &control, engine.ReplicaSets, d, claims)
}

// runs reports whether a Pod of a ReplicaSet has not ended.
func (r *Reconciler) runs(namespace string, set types.UID, name string) bool {
	for _, pod := range workload.Owned[*corev1.Pod](r.pods, namespace, name) {
		ended := pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
		if !ended && metav1.GetControllerOfNoCopy(pod).UID == set {
			return true
		}
	}
	return false
}
