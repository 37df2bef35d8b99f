// Package daemonset runs DaemonSets: one Pod on each Node that it fits.
//
// Invariant: what a step does follows from the DaemonSet, its Pods, its
// ControllerRevisions, the Nodes, and when Pods have failed lately; the last is part of
// the checkpoint.
//
// It follows k8s.io/kubernetes pkg/controller/daemon v1.37.2. What only computes is called:
// NodeShouldRunDaemonPod of it, and its package util.
//
// Deviation: there are no expectations: the engine reads its own writes. A step that
// creates or deletes Pods leaves the rollout to the next one, as upstream's does.
package daemonset

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "daemonset"

// Reconciler reconciles DaemonSets.
type Reconciler struct {
	engine.Notes[failures]
	view      *engine.View
	api       engine.API
	who       engine.Identity
	control   workload.Control
	pods      workload.Index
	revisions workload.Index
	progress  workload.Milestones
	templates map[engine.Key]*template
}

var (
	_ engine.Replacer   = (*Reconciler)(nil)
	_ engine.Rememberer = (*Reconciler)(nil)
)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.DaemonSets, engine.Nodes, engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts)
	who := engine.ControllerIdentity("daemon-set-controller")
	r := &Reconciler{
		view: host.View, api: host.API, who: who,
		control:   workload.Control{API: host.API, Recorder: host.Recorder, Who: who, Kind: kind()},
		pods:      workload.NewIndex(host.View, engine.Pods, kind()),
		revisions: workload.NewIndex(host.View, engine.ControllerRevisions, kind()),
		Notes:     engine.Notes[failures]{}, progress: workload.Milestones{}, templates: map[engine.Key]*template{},
	}
	host.View.Index(engine.Pods, boundIndex, bound)
	return r, nil
}

func kind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("DaemonSet") }

// boundIndex files the Pods of DaemonSets that are on a Node, by both.
const boundIndex = "bound for a DaemonSet"

func bound(obj engine.Object) []string {
	pod := obj.(*corev1.Pod)
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil || ref.Kind != kind().Kind || pod.Spec.NodeName == "" {
		return nil
	}
	return []string{boundKey(pod.Namespace, ref.Name, pod.Spec.NodeName)}
}

func boundKey(namespace, name, node string) string { return namespace + "/" + name + "/" + node }

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Asks implements engine.Replacer. That there are Pods on more Nodes than ever, or more
// with a new template, is progress.
func (r *Reconciler) Asks(key engine.Key) int64 { return r.progress.Of(key) }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	namespace := c.Object.GetNamespace()
	switch c.Resource {
	case engine.DaemonSets:
		return []engine.Key{r.changed(c)}
	case engine.Pods:
		return r.concerned(c)
	case engine.ControllerRevisions:
		if c.Type == watch.Added && metav1.GetControllerOfNoCopy(c.Object) != nil {
			return nil
		}
		return r.concerned(c)
	case engine.Nodes:
		return r.moved(c)
	case engine.ResourceQuotas, engine.LimitRanges, engine.ServiceAccounts:
		if workload.MayAllowMore(c) {
			return r.short(namespace)
		}
	}
	return nil
}

func keyOf(namespace, name string) engine.Key {
	return engine.Key{Controller: Name, Namespace: namespace, Name: name}
}

// changed takes note of a DaemonSet's change.
func (r *Reconciler) changed(c engine.Commit) engine.Key {
	ds, gone := c.Object.(*appsv1.DaemonSet), c.Type == watch.Deleted
	key := keyOf(ds.Namespace, ds.Name)
	r.progress.Observe(key, gone, ds.Status.ObservedGeneration, ds.Status.CurrentNumberScheduled, ds.Status.UpdatedNumberScheduled)
	if gone {
		delete(r.templates, key)
		delete(r.Notes, types.NamespacedName{Namespace: ds.Namespace, Name: ds.Name})
	}
	return key
}

// concerned returns the keys of those that have to do with a Pod or a ControllerRevision.
func (r *Reconciler) concerned(c engine.Commit) []engine.Key {
	namespace := c.Object.GetNamespace()
	var keys []engine.Key
	for _, name := range workload.Concerned(c, kind(), func() []string { return r.adopters(c.Object) }) {
		keys = append(keys, keyOf(namespace, name))
	}
	return keys
}

// adopters are the names of the DaemonSets that select an object.
func (r *Reconciler) adopters(obj engine.Object) []string {
	var names []string
	for _, ds := range engine.List[*appsv1.DaemonSet](r.view, engine.DaemonSets, obj.GetNamespace()) {
		selector, err := metav1.LabelSelectorAsSelector(ds.Spec.Selector)
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(obj.GetLabels())) {
			names = append(names, ds.Name)
		}
	}
	return names
}

// moved returns the keys of the DaemonSets to which a new or changed Node matters. One that
// goes matters with the Pods that go with it. Source: syncNodeUpdate in k8s.io/kubernetes
// pkg/controller/daemon v1.37.2.
func (r *Reconciler) moved(c engine.Commit) []engine.Key {
	node := c.Object.(*corev1.Node)
	if old, ok := c.Old.(*corev1.Node); c.Type == watch.Deleted || ok &&
		equality.Semantic.DeepEqual(old.Labels, node.Labels) && equality.Semantic.DeepEqual(old.Spec.Taints, node.Spec.Taints) {
		return nil
	}
	var keys []engine.Key
	for _, ds := range engine.List[*appsv1.DaemonSet](r.view, engine.DaemonSets, "") {
		at := r.templateOf(ds).judge(ds, node)
		has := r.view.CountByIndex(engine.Pods, boundIndex, boundKey(ds.Namespace, ds.Name, node.Name)) > 0
		if at.run && !has || !at.stay && has || has && ds.Status.NumberMisscheduled > 0 {
			keys = append(keys, keyOf(ds.Namespace, ds.Name))
		}
	}
	return keys
}

// short returns the keys of those in a namespace that lack Pods.
//
// Deviation: they try again at once when more may be allowed. Upstream's next try comes
// after a back-off, for which mode auto advances the clock only a few times.
func (r *Reconciler) short(namespace string) []engine.Key {
	var keys []engine.Key
	for _, ds := range engine.List[*appsv1.DaemonSet](r.view, engine.DaemonSets, namespace) {
		if ds.Status.CurrentNumberScheduled < ds.Status.DesiredNumberScheduled {
			keys = append(keys, keyOf(namespace, ds.Name))
		}
	}
	return keys
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	ds, found := engine.Get[*appsv1.DaemonSet](r.view, engine.DaemonSets, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(ds.Spec.Selector)
	switch {
	case err != nil:
		return engine.Wake{}, nil // validation has refused such a selector
	case selector.Empty():
		r.tell(ctx, ds, selectingAll())
		return engine.Wake{}, nil
	case ds.DeletionTimestamp != nil:
		// Its revisions may be gone before its Pods.
		return engine.Wake{}, nil
	}
	revisions, err := r.claimRevisions(ctx, ds, selector)
	if err != nil {
		return engine.Wake{}, err
	}
	pods, err := r.claimPods(ctx, ds, selector)
	if err != nil {
		return engine.Wake{}, err
	}
	name := types.NamespacedName{Namespace: ds.Namespace, Name: ds.Name}
	cluster, err := r.cluster(ds, r.Notes[name])
	if err != nil {
		return engine.Wake{}, err
	}
	p := decide(ds, pods, revisions, cluster, now)
	err = r.apply(ctx, ds, p)
	if delete(r.Notes, name); len(p.Failures.Nodes) > 0 {
		r.Notes[name] = p.Failures
	}
	return p.wake(), err
}

func (r *Reconciler) cluster(ds *appsv1.DaemonSet, lately failures) (cluster, error) {
	t := r.templateOf(ds)
	patch, err := t.patch(ds)
	return cluster{
		Nodes: t.judgeAll(ds, engine.List[*corev1.Node](r.view, engine.Nodes, "")),
		Patch: patch, Failures: lately,
		Revision: func(name string) (*appsv1.ControllerRevision, bool) {
			return engine.Get[*appsv1.ControllerRevision](r.view, engine.ControllerRevisions, ds.Namespace, name)
		},
	}, err
}

// claimRevisions returns ds' revisions, by name, after adoptions and releases.
func (r *Reconciler) claimRevisions(ctx context.Context, ds *appsv1.DaemonSet, selector labels.Selector) ([]*appsv1.ControllerRevision, error) {
	return workload.Carry(ctx, &r.control, engine.ControllerRevisions, ds, workload.Claim(ds, selector,
		workload.Owned[*appsv1.ControllerRevision](r.revisions, ds.Namespace, ds.Name),
		workload.Orphans[*appsv1.ControllerRevision](r.revisions, ds.Namespace),
		func(*appsv1.ControllerRevision) bool { return true }))
}

// claimPods returns ds' Pods, by name, after adoptions and releases.
func (r *Reconciler) claimPods(ctx context.Context, ds *appsv1.DaemonSet, selector labels.Selector) ([]*corev1.Pod, error) {
	return r.control.Claim(ctx, ds, workload.Claim(ds, selector,
		workload.Owned[*corev1.Pod](r.pods, ds.Namespace, ds.Name),
		workload.Orphans[*corev1.Pod](r.pods, ds.Namespace),
		func(*corev1.Pod) bool { return true }))
}
