package garbagecollector

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// apply carries p out. It stops at the first error; the next step decides
// afresh.
func (r *Reconciler) apply(ctx context.Context, n node, p plan) error {
	for _, ref := range p.Refused {
		r.refuse(ctx, n, ref)
	}
	for _, d := range p.Orphan {
		if err := r.edit(ctx, d, func(obj engine.Object) { forget(obj, n.GetUID()) }); err != nil {
			return err
		}
	}
	if p.Finalizer != "" {
		return r.edit(ctx, n, func(obj engine.Object) {
			obj.SetFinalizers(slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == p.Finalizer }))
		})
	}
	if len(p.Forget) > 0 || p.Unblock {
		if err := r.edit(ctx, n, func(obj engine.Object) { forget(obj, p.Forget...); unblock(obj, p.Unblock) }); err != nil {
			return err
		}
	}
	if p.Delete == "" {
		return nil
	}
	return r.delete(ctx, n, p.Delete)
}

func (r *Reconciler) delete(ctx context.Context, n node, policy metav1.DeletionPropagation) error {
	r.reportForeign(ctx, n)
	uid := n.GetUID()
	err := r.api.Delete(ctx, r.who, n.resource.Name, types.NamespacedName{Namespace: n.GetNamespace(), Name: n.GetName()},
		metav1.DeleteOptions{PropagationPolicy: &policy, Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// edit updates a copy of the object's metadata.
func (r *Reconciler) edit(ctx context.Context, n node, change func(engine.Object)) error {
	next := n.DeepCopyObject().(engine.Object)
	change(next)
	_, err := r.api.Update(ctx, r.who, n.resource.Name, "", next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func forget(obj engine.Object, owners ...types.UID) {
	if len(owners) == 0 {
		return
	}
	obj.SetOwnerReferences(slices.DeleteFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
		return slices.Contains(owners, ref.UID)
	}))
}

func unblock(obj engine.Object, really bool) {
	refs := obj.GetOwnerReferences()
	for i := range refs {
		if no := false; really && refs[i].BlockOwnerDeletion != nil {
			refs[i].BlockOwnerDeletion = &no
		}
	}
	obj.SetOwnerReferences(refs)
}

// reportForeign tells of an object that is deleted because its owner lives in
// another namespace: a mistake that otherwise looks like bad luck.
//
// Deviation: not if the owner is a Pod.
func (r *Reconciler) reportForeign(ctx context.Context, n node) {
	for _, o := range r.owners(n) {
		res := r.resourceOf(o.Ref)
		if !o.dangling() || !res.Namespaced || res.Name == engine.Pods {
			continue
		}
		if len(engine.ByIndex[engine.Object](r.view, res.Name, uidIndex, string(o.Ref.UID))) > 0 {
			r.refuse(ctx, n, o.Ref)
		}
	}
}

func (r *Reconciler) refuse(ctx context.Context, n node, ref metav1.OwnerReference) {
	apiVersion, kind := n.resource.GVK.ToAPIVersionAndKind()
	about := &corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: n.GetNamespace(), Name: n.GetName(), UID: n.GetUID()}
	r.recorder.Event(ctx, about, corev1.EventTypeWarning, "OwnerRefInvalidNamespace", "%s", refusal(ref, n.GetNamespace()))
}

// resourceOf returns the resource that ref leads to; it must be tracked.
func (r *Reconciler) resourceOf(ref metav1.OwnerReference) Resource {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return Resource{}
	}
	return r.byKind[schema.GroupKind{Group: gv.Group, Kind: ref.Kind}]
}
