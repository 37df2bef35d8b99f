// Package replication runs ReplicationControllers: it keeps as many Pods as each
// of them asks for.
//
// Invariant: what is to be done follows from the ReplicationController and its
// Pods alone, so that a restart changes nothing.
//
// It follows k8s.io/kubernetes pkg/controller/replicaset v1.37.2, which upstream
// runs for ReplicationControllers too.
//
// Deviation: there are no expectations: the engine reads its own writes.
package replication

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "replication"

// podIndex files the Pods that could be a ReplicationController's, see ownedKey
// and orphanKey.
const podIndex = "replication"

// Reconciler reconciles ReplicationControllers.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
	pods workload.Control
}

var _ engine.Replacer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.ReplicationControllers)
	host.View.Index(engine.Pods, podIndex, podIndexValues)
	who := engine.ControllerIdentity("replication-controller")
	return &Reconciler{
		view: host.View, api: host.API, who: who,
		pods: workload.Control{API: host.API, Recorder: host.Recorder, Who: who, Kind: kind()},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Replacer implements engine.Replacer: a Pod that ends is replaced, whyever it did.
func (r *Reconciler) Replacer() {}

// ownedKey files the Pods that the ReplicationController of this name controls,
// or one before it did; orphanKey those of a namespace that nobody controls.
func ownedKey(namespace, name string) string { return "owned/" + namespace + "/" + name }
func orphanKey(namespace string) string      { return "orphan/" + namespace }

func podIndexValues(obj engine.Object) []string {
	switch ref := metav1.GetControllerOfNoCopy(obj); {
	case ref == nil:
		return []string{orphanKey(obj.GetNamespace())}
	case isReplicationController(ref):
		return []string{ownedKey(obj.GetNamespace(), ref.Name)}
	}
	return nil
}

func isReplicationController(ref *metav1.OwnerReference) bool { return workload.IsOf(ref, kind()) }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case engine.ReplicationControllers:
		return []engine.Key{key(c.Object.GetNamespace(), c.Object.GetName())}
	case engine.Pods:
		old, _ := c.Old.(*corev1.Pod)
		return r.podKeys(old, c.Object.(*corev1.Pod), c.Type == watch.Deleted)
	}
	return nil
}

func key(namespace, name string) engine.Key {
	return engine.Key{Controller: Name, Namespace: namespace, Name: name}
}

// podKeys are the ReplicationControllers that a Pod's change matters to: the one
// that controlled it, the one that does, those that could adopt it.
func (r *Reconciler) podKeys(old, pod *corev1.Pod, deleted bool) []engine.Key {
	var keys []engine.Key
	ref := metav1.GetControllerOfNoCopy(pod)
	var before *metav1.OwnerReference
	if old != nil {
		before = metav1.GetControllerOfNoCopy(old)
	}
	if before != nil && isReplicationController(before) && (ref == nil || ref.UID != before.UID) {
		keys = append(keys, key(pod.Namespace, before.Name))
	}
	switch {
	case ref != nil && isReplicationController(ref):
		keys = append(keys, key(pod.Namespace, ref.Name))
	case ref == nil && !deleted && (old == nil || before != nil || !maps.Equal(old.Labels, pod.Labels)):
		for _, rc := range engine.List[*corev1.ReplicationController](r.view, engine.ReplicationControllers, pod.Namespace) {
			if selects(rc, pod) {
				keys = append(keys, key(rc.Namespace, rc.Name))
			}
		}
	}
	return keys
}

func selects(rc *corev1.ReplicationController, pod *corev1.Pod) bool {
	return labels.SelectorFromSet(rc.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	rc, found := engine.Get[*corev1.ReplicationController](r.view, engine.ReplicationControllers, key.Namespace, key.Name)
	if !found {
		return engine.Wake{}, nil
	}
	active, err := r.claimPods(ctx, rc)
	if err != nil {
		return engine.Wake{}, err
	}
	p := decide(rc, active, r.neighbours(rc, active), now)
	wake := engine.Progress(p.WakeAt)
	if p.Create > 0 {
		if at := r.failuresOf(rc).until(replicas(rc), now); !at.IsZero() {
			p.Create = 0
			wake = wake.Sooner(engine.Routine(at))
		}
	}
	missed := r.apply(ctx, rc, p)
	if err := r.writeStatus(ctx, rc, status(rc, active, missed, now)); err != nil {
		return engine.Wake{}, err
	}
	return wake, missed
}

// neighbours counts the running Pods that rc selects, whosever they are, on each
// node where it has too many itself.
func (r *Reconciler) neighbours(rc *corev1.ReplicationController, active []*corev1.Pod) map[string]int {
	if len(active) <= replicas(rc) {
		return nil
	}
	on := map[string]int{}
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, rc.Namespace) {
		if controller.IsPodActive(pod) && selects(rc, pod) {
			on[pod.Spec.NodeName]++
		}
	}
	return on
}

// describe names a ReplicationController in an error.
func describe(rc *corev1.ReplicationController) string {
	return fmt.Sprintf("ReplicationController %s/%s", rc.Namespace, rc.Name)
}
