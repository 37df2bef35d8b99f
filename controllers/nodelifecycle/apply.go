package nodelifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// applyNode carries p out. It stops at the first error; the engine calls the
// reconciler again and decideNode looks afresh.
func (r *Reconciler) applyNode(ctx context.Context, node *corev1.Node, p plan, now time.Time) error {
	if p.Silent {
		if _, err := r.cfg.API.Update(ctx, r.who, engine.Nodes, "status", unknown(node, now)); err != nil {
			return ignoreNotFound(err)
		}
		if readiness(node) == corev1.ConditionTrue {
			r.event(ctx, node.Name, node.UID, "NodeNotReady", "Node %s status is now: %s", node.Name, "NodeNotReady")
		}
		return nil
	}
	for _, pod := range p.NotReady {
		if err := r.markNotReady(ctx, pod, now); err != nil {
			return err
		}
	}
	if len(p.AddTaints)+len(p.RemoveTaints) == 0 {
		return nil
	}
	return r.retaint(ctx, retainted(node, p.AddTaints, p.RemoveTaints, now))
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

func (r *Reconciler) applyZones(ctx context.Context, p zonesPlan, now time.Time) error {
	for _, node := range p.Taint {
		want, other := noExecuteTaints(node)
		if err := r.retaint(ctx, retainted(node, []*corev1.Taint{want}, []*corev1.Taint{other}, now)); err != nil {
			return err
		}
	}
	for _, node := range p.Untaint {
		both := []*corev1.Taint{
			{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute},
			{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute},
		}
		if err := r.retaint(ctx, retainted(node, nil, both, now)); err != nil {
			return err
		}
	}
	return nil
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
