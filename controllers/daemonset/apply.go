package daemonset

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/daemon/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// apply carries p out. It returns the first error; the status tells how far it has come.
func (r *Reconciler) apply(ctx context.Context, ds *appsv1.DaemonSet, p plan) error {
	if err := r.writeHistory(ctx, p.History); err != nil {
		return fmt.Errorf("failed to construct revisions of DaemonSet: %w", err)
	}
	if p.Collided {
		return r.writeStatus(ctx, ds, p.Status)
	}
	for _, e := range p.Events {
		r.tell(ctx, ds, e)
	}
	err := r.writePods(ctx, ds, p)
	if err == nil {
		err = p.Refusal
	}
	if err == nil {
		err = r.removeRevisions(ctx, p.Trim)
	}
	if told := r.writeStatus(ctx, ds, p.Status); err == nil {
		return told
	}
	return err
}

func (r *Reconciler) writeHistory(ctx context.Context, h history) error {
	for _, rev := range h.Update {
		if _, err := r.api.Update(ctx, r.who, engine.ControllerRevisions, "", rev); err != nil {
			return err
		}
	}
	for _, pod := range h.Relabel {
		if _, err := r.api.Update(ctx, r.who, engine.Pods, "", pod); err != nil {
			return err
		}
	}
	if err := r.removeRevisions(ctx, h.Remove); err != nil || h.Create == nil {
		return err
	}
	_, err := r.api.Create(ctx, r.who, engine.ControllerRevisions, h.Create)
	return err
}

func (r *Reconciler) removeRevisions(ctx context.Context, revisions []*appsv1.ControllerRevision) error {
	for _, rev := range revisions {
		err := r.api.Delete(ctx, r.who, engine.ControllerRevisions, types.NamespacedName{Namespace: rev.Namespace, Name: rev.Name}, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// writePods creates and deletes as many Pods as one step may. The next ones follow when it
// is seen. Source: syncNodes in k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (r *Reconciler) writePods(ctx context.Context, ds *appsv1.DaemonSet, p plan) error {
	_, first := workload.SlowStart(min(len(p.Create), daemon.BurstReplicas), func(i int) error {
		err := r.control.Create(ctx, ds, newPod(ds, p.Template, p.Create[i]))
		if workload.NamespaceEnds(err) {
			return nil
		}
		return err
	})
	for _, pod := range p.Delete[:min(len(p.Delete), daemon.BurstReplicas)] {
		if err := r.control.Delete(ctx, ds, pod); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// newPod returns a Pod that the scheduler can only bind to the Node of that name. It shares
// parts of template.
func newPod(ds *appsv1.DaemonSet, template *corev1.PodTemplateSpec, node string) *corev1.Pod {
	pod := workload.NewPod(ds, kind(), template, workload.Prefix(ds.Name))
	pod.Spec.Affinity = util.ReplaceDaemonSetPodNodeNameNodeAffinity(template.Spec.Affinity.DeepCopy(), node)
	return pod
}

// writeStatus writes next unless it is what is stored. A DaemonSet that is gone needs no
// more.
func (r *Reconciler) writeStatus(ctx context.Context, ds *appsv1.DaemonSet, next appsv1.DaemonSetStatus) error {
	if !differs(ds, next) {
		return nil
	}
	changed := *ds
	changed.Status = next
	_, err := r.api.Update(ctx, r.who, engine.DaemonSets, "status", &changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *Reconciler) tell(ctx context.Context, ds *appsv1.DaemonSet, e event) {
	r.control.Recorder.Event(ctx, engine.Reference(ds, "apps/v1", "DaemonSet"), e.kind, e.reason, "%s", e.message)
}
