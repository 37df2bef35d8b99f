package replication

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// claimPods returns the Pods of rc that count, by name, after adoptions and releases.
func (r *Reconciler) claimPods(ctx context.Context, rc *corev1.ReplicationController) ([]*corev1.Pod, error) {
	pods, err := r.pods.Claim(ctx, rc, workload.Claim(
		rc, labels.SelectorFromSet(rc.Spec.Selector),
		engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, ownedKey(rc.Namespace, rc.Name)),
		engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, orphanKey(rc.Namespace)),
		controller.IsPodActive,
	))
	if adoption := (*workload.AdoptionError)(nil); errors.As(err, &adoption) {
		return nil, fmt.Errorf("%s cannot adopt Pod %s: %w", describe(rc), adoption.Pod, err)
	}
	return pods, err
}

func kind() schema.GroupVersionKind {
	return corev1.SchemeGroupVersion.WithKind("ReplicationController")
}

// apply carries p out, and returns the first error that kept it from that: the
// status is to tell it.
func (r *Reconciler) apply(ctx context.Context, rc *corev1.ReplicationController, p plan) error {
	if p.Create > 0 {
		return r.createPods(ctx, rc, p.Create)
	}
	var first error
	for _, pod := range p.Delete {
		if err := r.pods.Delete(ctx, rc, pod); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// createPods creates n Pods. That the namespace is being deleted is no error.
func (r *Reconciler) createPods(ctx context.Context, rc *corev1.ReplicationController, n int) error {
	_, err := workload.SlowStart(n, func(int) error {
		err := r.pods.Create(ctx, rc, workload.NewPod(rc, kind(), templateOf(rc), workload.Prefix(rc.Name)))
		if workload.NamespaceEnds(err) {
			return nil
		}
		return err
	})
	return err
}

// writeStatus writes s unless it is what is stored.
func (r *Reconciler) writeStatus(ctx context.Context, rc *corev1.ReplicationController, s corev1.ReplicationControllerStatus) error {
	if equality.Semantic.DeepEqual(rc.Status, s) {
		return nil
	}
	next := *rc
	next.Status = s
	_, err := r.api.Update(ctx, r.who, engine.ReplicationControllers, "status", &next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
