package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/status"
)

// report writes the Pod's status if it has changed.
func (r *Reconciler) report(ctx context.Context, run *podRun, now time.Time) error {
	pod := run.pod
	if !run.dirty && run.Finished {
		return nil
	}
	gated := len(pod.Spec.ReadinessGates) > 0
	if !run.dirty && !gated && pod.Generation == pod.Status.ObservedGeneration {
		return nil
	}
	next := *pod
	run.annotate(&next)
	next.Status = status.Of(pod, &run.State, now)
	if !run.dirty && apiequality.Semantic.DeepEqual(next.Status, pod.Status) {
		return nil
	}
	shown := next
	r.cfg.Logs.SetPod(&shown)
	next.UID = run.apiUID
	written, err := r.cfg.API.Update(ctx, node.Identity(run.node.Name), engine.Pods, "status", &next)
	if apierrors.IsNotFound(err) {
		return nil // its deletion is on the way to us
	}
	if err != nil {
		return err
	}
	run.take(written.(*corev1.Pod))
	run.wrote, run.dirty = run.pod.ResourceVersion, false
	return nil
}

// remove tells the API that a Pod that was to be deleted may go. Source:
// manager.syncPod in k8s.io/kubernetes pkg/kubelet/status v1.37.2.
func (r *Reconciler) remove(ctx context.Context, run *podRun) error {
	if !run.Finished || run.removed || !podstate.Leaves(run.pod, &run.State) {
		return nil
	}
	name := types.NamespacedName{Namespace: run.pod.Namespace, Name: run.pod.Name}
	opts := metav1.DeleteOptions{
		GracePeriodSeconds: new(int64),
		Preconditions:      metav1.NewUIDPreconditions(string(run.apiUID)),
	}
	err := r.cfg.API.Delete(ctx, node.Identity(run.node.Name), engine.Pods, name, opts)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	run.removed = true
	return nil
}
