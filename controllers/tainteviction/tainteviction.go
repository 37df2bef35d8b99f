// Package tainteviction deletes Pods from Nodes that have a taint with the
// effect NoExecute, when the Pods' tolerations say so.
//
// Invariant: a Pod that is to be deleted has the condition DisruptionTarget
// first, so that a Job's podFailurePolicy can tell why it ended.
//
// It follows k8s.io/kubernetes pkg/controller/tainteviction v1.37.2.
package tainteviction

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/tainteviction/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "tainteviction"

// Reconciler reconciles Pods.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	who      engine.Identity
	recorder *engine.EventRecorder
	// Notes hold the evictions to come.
	engine.Notes[eviction]
}

var _ engine.Rememberer = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	metrics.Register()
	host.View.Track(engine.Pods, engine.Nodes)
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who:   engine.ControllerIdentity("node-controller"),
		Notes: engine.Notes[eviction]{},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler. A Pod counts when it is bound, when its
// tolerations change and when it is gone; a Node when its taints change.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *corev1.Pod:
		old, _ := c.Old.(*corev1.Pod)
		if r.concerns(old, obj, c.Type == watch.Deleted) {
			return []engine.Key{key(obj)}
		}
	case *corev1.Node:
		old, _ := c.Old.(*corev1.Node)
		if c.Type != watch.Deleted && !apiequality.Semantic.DeepEqual(noExecute(old), noExecute(obj)) {
			return r.podsOn(obj.Name)
		}
	}
	return nil
}

func key(pod *corev1.Pod) engine.Key {
	return engine.Key{Controller: Name, Namespace: pod.Namespace, Name: pod.Name}
}

func (r *Reconciler) concerns(old, pod *corev1.Pod, deleted bool) bool {
	_, scheduled := r.Notes[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}]
	if deleted {
		return scheduled
	}
	changed := old == nil || old.Spec.NodeName != pod.Spec.NodeName ||
		!apiequality.Semantic.DeepEqual(old.Spec.Tolerations, pod.Spec.Tolerations)
	return changed && (scheduled || len(r.taints(pod)) > 0)
}

func (r *Reconciler) podsOn(node string) []engine.Key {
	var keys []engine.Key
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		if pod.Spec.NodeName == node {
			keys = append(keys, key(pod))
		}
	}
	return keys
}

// taints are those that a Pod has to tolerate to stay. One whose Node is gone
// is left to podgc.
func (r *Reconciler) taints(pod *corev1.Pod) []corev1.Taint {
	if pod.Spec.NodeName == "" {
		return nil
	}
	node, _ := engine.Get[*corev1.Node](r.view, engine.Nodes, "", pod.Spec.NodeName)
	return noExecute(node)
}

// Reconcile implements engine.Reconciler. An eviction is work: a Job may wait
// for the Pod's end.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	var scheduled *eviction
	if e, ok := r.Notes[name]; ok {
		scheduled = &e
	}
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name)
	var p plan
	if ok {
		p = decide(pod, r.taints(pod), scheduled, now)
	} else {
		p = plan{Cancel: scheduled != nil}
	}
	if scheduled != nil && scheduled.Told {
		p.Cancel = false // it is not to come any more, but under way
	}
	if err := r.apply(ctx, name, pod, p, scheduled != nil && scheduled.Told, now); err != nil {
		if p.Delete {
			r.Notes[name] = underWay(scheduled, now)
		}
		return engine.Wake{}, err
	}
	if p.Delete {
		due := now
		if scheduled != nil && !p.Cancel {
			due = scheduled.FireAt
		}
		metrics.PodDeletionsTotal.Inc()
		metrics.PodDeletionsLatency.Observe(now.Sub(due).Seconds())
	}
	if p.Schedule == nil {
		delete(r.Notes, name)
		return engine.Wake{}, nil
	}
	r.Notes[name] = *p.Schedule
	return engine.Progress(p.Schedule.FireAt), nil
}

// underWay is an eviction that was told and takes longer, or has to be tried again.
func underWay(scheduled *eviction, now time.Time) eviction {
	e := eviction{CreatedAt: now, FireAt: now, Told: true}
	if scheduled != nil && !now.Before(scheduled.FireAt) {
		e.CreatedAt, e.FireAt = scheduled.CreatedAt, scheduled.FireAt
	}
	return e
}

// apply carries p out. What was told is not told again.
func (r *Reconciler) apply(ctx context.Context, name types.NamespacedName, pod *corev1.Pod, p plan, told bool, now time.Time) error {
	ref := &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: name.Namespace, Name: name.Name}
	if p.Cancel {
		r.recorder.Event(ctx, ref, corev1.EventTypeNormal, "TaintManagerEviction", "Cancelling deletion of Pod %s", name)
	}
	if !p.Delete {
		return nil
	}
	if !told {
		r.recorder.Event(ctx, ref, corev1.EventTypeNormal, "TaintManagerEviction", "Marking for deletion Pod %s", name)
	}
	if next, changed := targeted(pod, now); changed {
		if _, err := r.api.Update(ctx, r.who, engine.Pods, "status", next); err != nil {
			return ignoreNotFound(err)
		}
	}
	return ignoreNotFound(r.api.Delete(ctx, r.who, engine.Pods, name, metav1.DeleteOptions{}))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
