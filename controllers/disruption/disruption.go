// Package disruption keeps the status of PodDisruptionBudgets, which says how
// many Pods the eviction API may still take, and resets the condition
// DisruptionTarget of Pods that nobody has deleted after all.
//
// Invariant: a budget whose status cannot be calculated allows no disruption.
//
// It follows k8s.io/kubernetes pkg/controller/disruption v1.37.2.
package disruption

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "disruption"

// Reconciler reconciles PodDisruptionBudgets ("<name>") and the Pods that have
// the condition DisruptionTarget or too many budgets ("pods/<name>").
type Reconciler struct {
	view     *engine.View
	api      engine.API
	who      engine.Identity
	recorder *engine.EventRecorder
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.Pods, engine.PodDisruptionBudgets)
	host.View.Track(scaled()...)
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who: engine.ControllerIdentity("disruption-controller"),
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

const podKind = "pods"

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *policyv1.PodDisruptionBudget:
		if c.Type != watch.Deleted {
			return []engine.Key{{Controller: Name, Namespace: obj.Namespace, Name: obj.Name}}
		}
	case *corev1.Pod:
		return r.podKeys(obj, c.Type == watch.Deleted)
	}
	return nil
}

func (r *Reconciler) podKeys(pod *corev1.Pod, deleted bool) []engine.Key {
	var keys []engine.Key
	budgets := budgetsOf(pod, engine.List[*policyv1.PodDisruptionBudget](r.view, engine.PodDisruptionBudgets, pod.Namespace))
	if len(budgets) > 0 {
		keys = append(keys, engine.Key{Controller: Name, Namespace: pod.Namespace, Name: budgets[0].Name})
	}
	if !deleted && (len(budgets) > 1 || targeted(pod)) {
		keys = append(keys, engine.Key{Controller: Name, Kind: podKind, Namespace: pod.Namespace, Name: pod.Name})
	}
	return keys
}

// budgetsOf returns the budgets that select the Pod. The first one counts.
//
// Deviation: upstream takes any; here they are sorted by name.
func budgetsOf(pod *corev1.Pod, all []*policyv1.PodDisruptionBudget) []*policyv1.PodDisruptionBudget {
	var out []*policyv1.PodDisruptionBudget
	for _, pdb := range all {
		if selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector); err == nil && selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, pdb)
		}
	}
	return out
}

// Reconcile implements engine.Reconciler. Nothing waits for its timers, which
// tidy up after a deletion that did not happen.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	if key.Kind == podKind {
		return r.reconcilePod(ctx, key.Namespace, key.Name, now)
	}
	pdb, ok := engine.Get[*policyv1.PodDisruptionBudget](r.view, engine.PodDisruptionBudgets, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	p := decide(pdb, r.selected(pdb), controllers{r.kind, r.scales(pdb.Namespace)}, now)
	return engine.Cleanup(p.WakeAt), r.apply(ctx, pdb, p, now)
}

// kind finds what is served of a kind.
func (r *Reconciler) kind(gvk schema.GroupVersionKind) (engine.Resource, bool) {
	s, ok := r.view.ServedKind(gvk)
	return s.Name, ok
}

// selected returns the Pods that the budget covers.
func (r *Reconciler) selected(pdb *policyv1.PodDisruptionBudget) []*corev1.Pod {
	selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
	if err != nil {
		return nil // validation has refused such a selector
	}
	var pods []*corev1.Pod
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, pdb.Namespace) {
		if selector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	return pods
}

func (r *Reconciler) apply(ctx context.Context, pdb *policyv1.PodDisruptionBudget, p plan, now time.Time) error {
	for _, e := range p.Events {
		ref := engine.Reference(pdb, "policy/v1", "PodDisruptionBudget")
		if e.Pod != nil {
			ref = engine.Reference(e.Pod, "v1", "Pod")
		}
		r.recorder.Event(ctx, ref, e.Type, e.Reason, "%s", e.Message)
	}
	if p.Status == nil {
		return nil
	}
	err := r.write(ctx, pdb, p.Status)
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return ignoreNotFound(err)
	}
	// As upstream's failSafe: a budget that cannot be kept allows nothing.
	if safe := failed(pdb, err, now); safe != nil {
		return r.write(ctx, pdb, safe)
	}
	return err
}

func (r *Reconciler) write(ctx context.Context, pdb *policyv1.PodDisruptionBudget, status *policyv1.PodDisruptionBudgetStatus) error {
	next := *pdb
	next.Status = *status
	_, err := r.api.Update(ctx, r.who, engine.PodDisruptionBudgets, "status", &next)
	return err
}

func (r *Reconciler) reconcilePod(ctx context.Context, namespace, name string, now time.Time) (engine.Wake, error) {
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, namespace, name)
	if !ok {
		return engine.Wake{}, nil
	}
	budgets := budgetsOf(pod, engine.List[*policyv1.PodDisruptionBudget](r.view, engine.PodDisruptionBudgets, namespace))
	p := decidePod(pod, budgets, now)
	for _, e := range p.Events {
		r.recorder.Event(ctx, engine.Reference(pod, "v1", "Pod"), e.Type, e.Reason, "%s", e.Message)
	}
	if !p.Reset {
		return engine.Cleanup(p.WakeAt), nil
	}
	_, err := r.api.Update(ctx, r.who, engine.Pods, "status", untargeted(pod, now))
	return engine.Wake{}, ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
