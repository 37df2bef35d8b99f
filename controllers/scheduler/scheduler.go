// Package scheduler binds Pods to Nodes.
//
// Invariant: a Pod is bound only to a Node that passes every filter with what
// is bound there already; sums per Node are kept up with each commit, so that a
// Pod costs the same with 100 others as with 100,000.
//
// It follows k8s.io/kubernetes pkg/scheduler v1.37.2 with its default plugins,
// as far as filters for spec.nodeName, unschedulable Nodes, taints, node
// affinity, host ports, resources and volumes go.
//
// Deviation: there is no preemption, inter-pod affinity or topology spread; a Pod
// that asks for them is placed as if it did not.
//
// Deviation: a Pod whose volumes are being made keeps nothing of its Node until it
// is bound, and waits for them as long as it takes, where upstream gives up after
// ten minutes and tries again.
//
// Deviation: a Pod that fits nowhere is tried again as soon as a Node could
// take it, without upstream's back-off of 1 to 10 seconds.
package scheduler

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "scheduler"

// Config is what a Reconciler needs.
type Config struct {
	engine.Host
	// Random breaks ties between Nodes.
	Random *engine.Random
}

func (c *Config) validate() error {
	var errs []error
	if c.Random == nil {
		errs = append(errs, errors.New("scheduler: Config.Random is nil: pass the engine's Random"))
	}
	return c.ValidateTeller(Name, errs...)
}

// Reconciler schedules Pods.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	random   *engine.Random
	who      engine.Identity
	cluster  *cluster
	waiting  *waiting
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(cfg Config) (*Reconciler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.View.Track(engine.Nodes, engine.PersistentVolumes, engine.PersistentVolumeClaims, engine.StorageClasses)
	cfg.View.Index(engine.Pods, podsByClaim, claimsOf)
	return &Reconciler{
		view: cfg.View, api: cfg.API, recorder: cfg.Recorder, random: cfg.Random,
		who:     engine.Identity{User: "system:kube-scheduler", Groups: []string{"system:authenticated"}},
		cluster: newCluster(), waiting: newWaiting(),
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. It also keeps the sums per Node: this is
// where every commit passes, once and in order.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch c.Resource {
	case engine.Nodes:
		if r.cluster.observeNode(c.Object.(*corev1.Node), c.Type == watch.Deleted) {
			return keysOf(r.waiting.heads(everyShape))
		}
	case engine.PersistentVolumeClaims:
		return r.claimKeys(c.Object)
	case engine.PersistentVolumes, engine.StorageClasses:
		return keysOf(r.waiting.heads(withClaims))
	case engine.Pods:
		old, _ := c.Old.(*corev1.Pod)
		return r.podKeys(old, c.Object.(*corev1.Pod), c.Type == watch.Deleted)
	}
	return nil
}

func (r *Reconciler) podKeys(old, pod *corev1.Pod, deleted bool) []engine.Key {
	name := nameOf(pod)
	if r.cluster.observePod(pod, deleted) {
		return keysOf(r.waiting.heads(everyShape))
	}
	if deleted || !schedulable(pod) {
		return keysOf(r.waiting.remove(name, !deleted && pod.Spec.NodeName != ""))
	}
	if old == nil || !equality.Semantic.DeepEqual(&old.Spec, &pod.Spec) {
		return append(keysOf(r.waiting.remove(name, false)), keysOf([]types.NamespacedName{name})...)
	}
	return nil
}

// claimKeys are the Pods that wait for this scheduler and have the claim.
func (r *Reconciler) claimKeys(claim engine.Object) []engine.Key {
	var pods []types.NamespacedName
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByClaim, claim.GetNamespace()+"/"+claim.GetName()) {
		if schedulable(pod) {
			pods = append(pods, nameOf(pod))
		}
	}
	return keysOf(pods)
}

// schedulable reports whether pod waits for this scheduler.
func schedulable(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && pod.Spec.SchedulerName == corev1.DefaultSchedulerName &&
		len(pod.Spec.SchedulingGates) == 0 && pod.DeletionTimestamp == nil && !podutil.IsPodTerminal(pod)
}

// Remember implements engine.Rememberer: that a Pod fits nowhere.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	if _, ok := r.waiting.shapes[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}]; ok {
		return []byte{}, nil
	}
	return nil, nil
}

// Recall implements engine.Rememberer. Which Pods of a shape have been tried
// since something changed is not remembered: a new wave begins.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, _ []byte, _ time.Time) error {
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name)
	if ok && schedulable(pod) {
		r.waiting.add(pod)
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	pod, found := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name)
	if !found || !schedulable(pod) {
		return engine.Wake{}, nil
	}
	p := decide(pod, r.volumesOf(pod), r.cluster.nodes, r.random.Derive("scheduler/"+string(pod.UID)))
	return engine.Wake{}, r.apply(ctx, pod, p, now)
}

func nameOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

func keysOf(pods []types.NamespacedName) []engine.Key {
	keys := make([]engine.Key, 0, len(pods))
	for _, pod := range pods {
		keys = append(keys, engine.Key{Controller: Name, Namespace: pod.Namespace, Name: pod.Name})
	}
	return keys
}
