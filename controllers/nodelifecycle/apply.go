package nodelifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	nodetopology "k8s.io/component-helpers/node/topology"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// applyNode carries p out; when something fails the engine calls the reconciler
// again and decideNode looks afresh. A Pod that cannot be changed holds up nothing
// else.
func (r *Reconciler) applyNode(ctx context.Context, node *corev1.Node, p plan, now time.Time) error {
	if p.Silent {
		if _, err := r.cfg.API.Update(ctx, r.who, engine.Nodes, "status", unknown(node, now)); err != nil {
			return ignoreNotFound(err)
		}
		if readiness(node) == corev1.ConditionTrue {
			r.fallen[node.Name] = true
			r.event(ctx, node.Name, node.UID, "NodeNotReady", "Node %s status is now: %s", node.Name, "NodeNotReady")
		}
		return nil
	}
	var errs []error
	for _, pod := range p.NotReady {
		errs = append(errs, r.markNotReady(ctx, pod, now))
	}
	if errors.Join(errs...) == nil {
		delete(r.fallen, node.Name)
	}
	if len(p.AddTaints)+len(p.RemoveTaints) > 0 {
		errs = append(errs, r.retaint(ctx, retainted(node, p.AddTaints, p.RemoveTaints, now)))
	}
	return errors.Join(errs...)
}

// markNotReady follows MarkPodsNotReady, k8s.io/kubernetes
// pkg/controller/util/node v1.37.2.
func (r *Reconciler) markNotReady(ctx context.Context, pod *corev1.Pod, now time.Time) error {
	next := pod.DeepCopy()
	i, _ := podutil.GetPodCondition(&next.Status, corev1.PodReady)
	next.Status.Conditions[i].Status = corev1.ConditionFalse
	next.Status.Conditions[i].LastTransitionTime = metav1.NewTime(now)
	if _, err := r.cfg.API.Update(ctx, r.who, engine.Pods, "status", next); err != nil {
		return ignoreNotFound(err)
	}
	r.cfg.Recorder.Event(ctx, engine.Reference(pod, "v1", "Pod"), corev1.EventTypeWarning, "NodeNotReady", "Node is not ready")
	return nil
}

// applyZones carries p out. A Node that cannot be changed holds up no other.
func (r *Reconciler) applyZones(ctx context.Context, p zonesPlan, now time.Time) error {
	both := []*corev1.Taint{
		{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute},
		{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute},
	}
	var next []*corev1.Node
	for _, node := range slices.Concat(p.Taint, p.Swap) {
		want, other := noExecuteTaints(node)
		next = append(next, retainted(node, []*corev1.Taint{want}, []*corev1.Taint{other}, now))
	}
	for _, node := range p.Untaint {
		next = append(next, retainted(node, nil, both, now))
	}
	var errs []error
	for i, node := range next {
		err := r.retaint(ctx, node)
		if err == nil && i < len(p.Taint) {
			r.told.evictions.WithLabelValues(nodetopology.GetZoneKey(node)).Inc()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (r *Reconciler) retaint(ctx context.Context, node *corev1.Node) error {
	_, err := r.cfg.API.Update(ctx, r.who, engine.Nodes, "", node)
	return ignoreNotFound(err)
}

// announce tells, once, that the Node is known.
func (r *Reconciler) announce(ctx context.Context, node *corev1.Node) {
	if _, known := r.known[node.Name]; !known {
		r.event(ctx, node.Name, node.UID, "RegisteredNode", "Node %[1]s event: Registered Node %[1]s in Controller", node.Name)
	}
	r.known[node.Name] = node.UID
}

// forget tells that the Node is gone.
func (r *Reconciler) forget(ctx context.Context, name string) {
	if uid, known := r.known[name]; known {
		r.event(ctx, name, uid, "RemovingNode", "Node %[1]s event: Removing Node %[1]s from Controller", name)
	}
	delete(r.known, name)
	delete(r.doubted, name)
	delete(r.fallen, name)
}

func (r *Reconciler) event(ctx context.Context, name string, uid types.UID, reason, format string, args ...any) {
	ref := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: name, UID: uid}
	r.cfg.Recorder.Event(ctx, ref, corev1.EventTypeNormal, reason, format, args...)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
