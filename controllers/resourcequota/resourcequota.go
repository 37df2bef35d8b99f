// Package resourcequota keeps every ResourceQuota's status: hard follows its
// spec, and used follows the objects of its namespace.
//
// Invariant: it writes a quota's status only where the namespace's objects, as
// the View holds them, say something else.
//
// The ResourceQuota admission plugin raises used before an object is created;
// this package lowers it when an object is gone or charged less. A charge comes
// one revision before its object, so to count on every charge, or on every new
// object, would take back the charge of an object that is still on its way.
// Hence it does neither, and leaves what was charged for nothing to the resync.
//
// It follows k8s.io/kubernetes pkg/controller/resourcequota v1.37.2.
package resourcequota

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "resourcequota"

// resyncPeriod is how often every quota is counted afresh although nothing
// seems to have changed. It finds what admission charged for an object that
// then could not be created, and Pods that outlive their grace period.
// Unit: virtual time. Source: the default of kube-controller-manager's
// --resource-quota-sync-period.
const resyncPeriod = 5 * time.Minute

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Evaluators measure objects, at most one for each resource.
	Evaluators []Evaluator
	// Other, if set, returns what measures one more resource that is served, or nil. It is
	// not asked about those of Evaluators.
	Other func(engine.Served) Evaluator
}

func (c *Config) validate() error {
	var errs []error
	if len(c.Evaluators) == 0 {
		errs = append(errs, errors.New("resourcequota: Config.Evaluators is empty: pass those of upstream's pkg/quota/v1/evaluator/core"))
	}
	return c.Validate(Name, errs...)
}

// Reconciler reconciles ResourceQuotas.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
	// own are Config's Evaluators.
	own   map[engine.Resource]Evaluator
	other func(engine.Served) Evaluator
	// evaluators are those of what is served, sorted by resource.
	evaluators []Evaluator
	byResource map[engine.Resource]Evaluator
}

var _ engine.ServedObserver = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Reconciler{
		view: cfg.View, api: cfg.API, who: engine.ControllerIdentity("resourcequota-controller"),
		own: map[engine.Resource]Evaluator{}, other: cfg.Other,
	}
	if r.other == nil {
		r.other = func(engine.Served) Evaluator { return nil }
	}
	for _, e := range cfg.Evaluators {
		r.own[resourceOf(e)] = e
		cfg.View.Track(resourceOf(e))
	}
	cfg.View.TrackServed(func(s engine.Served) bool { return r.evaluator(s) != nil })
	cfg.View.Track(engine.ResourceQuotas)
	cfg.View.Index(engine.Pods, unfinishedIndex, unfinished)
	r.arrange()
	return r, nil
}

// evaluator returns what measures s, or nil.
func (r *Reconciler) evaluator(s engine.Served) Evaluator {
	if e, ok := r.own[s.Name]; ok {
		return e
	}
	return r.other(s)
}

// arrange collects the evaluators of what is served.
func (r *Reconciler) arrange() {
	r.byResource = maps.Clone(r.own)
	for _, s := range r.view.Served() {
		if e := r.evaluator(s); e != nil {
			r.byResource[s.Name] = e
		}
	}
	r.evaluators = nil
	for _, name := range slices.Sorted(maps.Keys(r.byResource)) {
		r.evaluators = append(r.evaluators, r.byResource[name])
	}
}

// ObserveServed implements engine.ServedObserver. What is not served any more keeps
// the usage that was measured last.
func (r *Reconciler) ObserveServed(s engine.Served, gone bool) []engine.Key {
	r.arrange()
	e := r.byResource[s.Name]
	if gone || e == nil {
		return nil
	}
	var keys []engine.Key
	for _, quota := range engine.List[*corev1.ResourceQuota](r.view, engine.ResourceQuotas, "") {
		if len(e.MatchingResources(hardNames(quota))) > 0 {
			keys = append(keys, keyOf(quota))
		}
	}
	return keys
}

func resourceOf(e Evaluator) engine.Resource { return engine.ResourceOf(e.GroupResource()) }

// unfinishedIndex files Pods that have not ended under their namespace.
const unfinishedIndex = "resourcequota/unfinished"

func unfinished(obj engine.Object) []string {
	pod, ok := obj.(*corev1.Pod)
	if !ok || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	return []string{pod.Namespace}
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	var keys []engine.Key
	if quota, ok := c.Object.(*corev1.ResourceQuota); ok && c.Type != watch.Deleted {
		old, had := c.Old.(*corev1.ResourceQuota)
		if !had || !apiequality.Semantic.DeepEqual(old.Spec, quota.Spec) {
			keys = append(keys, keyOf(quota))
		}
	}
	return append(keys, r.touched(c)...)
}

// touched are the quotas that a commit charges otherwise than before. A new
// object is not among them: admission has charged it.
func (r *Reconciler) touched(c engine.Commit) []engine.Key {
	e, ok := r.byResource[c.Resource]
	if !ok || c.Type == watch.Added || c.Old == nil || r.view.Count(engine.ResourceQuotas) == 0 {
		return nil
	}
	var keys []engine.Key
	for _, quota := range engine.List[*corev1.ResourceQuota](r.view, engine.ResourceQuotas, c.Object.GetNamespace()) {
		names := e.MatchingResources(hardNames(quota))
		if len(names) == 0 {
			continue
		}
		before, err := charge(quota, e, names, c.Old)
		var after corev1.ResourceList
		if err == nil && c.Type != watch.Deleted {
			after, err = charge(quota, e, names, c.Object)
		}
		if err != nil || !apiequality.Semantic.DeepEqual(before, after) {
			keys = append(keys, keyOf(quota))
		}
	}
	return keys
}

func keyOf(quota *corev1.ResourceQuota) engine.Key {
	return engine.Key{Controller: Name, Namespace: quota.Namespace, Name: quota.Name}
}

// Reconcile implements engine.Reconciler. What cannot be measured keeps its
// old value, and does not hold up the rest.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	quota, ok := engine.Get[*corev1.ResourceQuota](r.view, engine.ResourceQuotas, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	measured, err := measure(quota, r.evaluators, r.list)
	resync := engine.Upkeep(now.Add(resyncPeriod))
	return resync, errors.Join(err, r.apply(ctx, quota, decide(quota, measured)))
}

// list returns the namespace's objects that e may charge for names. Pods that
// have ended use nothing but their count, so that the cost of a Pod's end does
// not grow with all that ended before. Source: PodUsageFunc, k8s.io/kubernetes
// pkg/quota/v1/evaluator/core v1.37.2.
func (r *Reconciler) list(e Evaluator, namespace string, names []corev1.ResourceName) []engine.Object {
	resource := resourceOf(e)
	if resource == engine.Pods && !slices.Contains(names, "count/pods") {
		return engine.ByIndex[engine.Object](r.view, resource, unfinishedIndex, namespace)
	}
	return engine.List[engine.Object](r.view, resource, namespace)
}

func (r *Reconciler) apply(ctx context.Context, quota *corev1.ResourceQuota, p plan) error {
	if p.Status == nil {
		return nil
	}
	next := *quota
	next.Status = *p.Status
	_, err := r.api.Update(ctx, r.who, engine.ResourceQuotas, "status", &next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
