package replicaset

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// claimPods returns the Pods of rs that count, by name, after adoptions and releases.
func (r *Reconciler) claimPods(ctx context.Context, rs *appsv1.ReplicaSet, selector labels.Selector, owned []*corev1.Pod) ([]*corev1.Pod, error) {
	orphans := workload.Orphans[*corev1.Pod](r.index, rs.Namespace)
	pods, err := r.pods.Claim(ctx, rs, workload.Claim(rs, selector, owned, orphans, controller.IsPodActive))
	if adoption := (*workload.AdoptionError)(nil); errors.As(err, &adoption) {
		return nil, fmt.Errorf("%s %s/%s cannot adopt Pod %s: %w", r.kind.gvk.Kind, rs.Namespace, rs.Name, adoption.Name, err)
	}
	return pods, err
}

// apply carries p out, and returns the first error that kept it from that: the
// status is to tell it.
func (r *Reconciler) apply(ctx context.Context, rs *appsv1.ReplicaSet, p plan) error {
	if p.Create > 0 {
		return r.createPods(ctx, rs, p.Create)
	}
	var first error
	for _, pod := range p.Delete {
		if err := r.pods.Delete(ctx, rs, pod); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// createPods creates n Pods. That the namespace is being deleted is no error.
func (r *Reconciler) createPods(ctx context.Context, rs *appsv1.ReplicaSet, n int) error {
	prefix := workload.Prefix(rs.Name)
	_, err := workload.SlowStart(n, func(int) error {
		err := r.pods.Create(ctx, rs, workload.NewPod(rs, r.kind.gvk, &rs.Spec.Template, prefix))
		if workload.NamespaceEnds(err) {
			return nil
		}
		return err
	})
	return err
}

// writeStatus writes next to obj unless it is what is stored.
func (r *Reconciler) writeStatus(ctx context.Context, obj engine.Object, stored, next appsv1.ReplicaSetStatus) error {
	if equality.Semantic.DeepEqual(stored, next) {
		return nil
	}
	_, err := r.api.Update(ctx, r.who, r.kind.resource, "status", r.kind.write(obj, next))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
