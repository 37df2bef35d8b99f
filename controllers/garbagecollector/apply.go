package garbagecollector

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// apply carries p out. It stops at the first error; the next step decides
// afresh. But of the dependents one that cannot be changed holds up no other.
func (r *Reconciler) apply(ctx context.Context, n node, p plan) error {
	if p.Report != nil {
		r.report(ctx, n, *p.Report)
	}
	var errs []error
	for _, d := range p.Orphan {
		_, err := r.edit(ctx, d, func(obj engine.Object) { forget(obj, n.GetUID()) })
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if p.Finalizer != "" {
		_, err := r.edit(ctx, n, func(obj engine.Object) {
			obj.SetFinalizers(slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == p.Finalizer }))
		})
		return err
	}
	if len(p.Forget) > 0 || p.Unblock {
		var err error
		if n, err = r.edit(ctx, n, func(obj engine.Object) { forget(obj, p.Forget...); unblock(obj, p.Unblock) }); err != nil {
			return err
		}
	}
	if p.Delete == "" {
		return nil
	}
	return r.delete(ctx, n, p.Delete)
}

// delete deletes the object in the state that was decided on: who gives it
// another owner at this moment saves it.
func (r *Reconciler) delete(ctx context.Context, n node, policy metav1.DeletionPropagation) error {
	uid, version := n.GetUID(), n.GetResourceVersion()
	err := r.api.Delete(ctx, r.who, n.resource.Name, types.NamespacedName{Namespace: n.GetNamespace(), Name: n.GetName()},
		metav1.DeleteOptions{PropagationPolicy: &policy, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// edit updates a copy of the object's metadata and returns what becomes of it.
func (r *Reconciler) edit(ctx context.Context, n node, change func(engine.Object)) (node, error) {
	next := n.DeepCopyObject().(engine.Object)
	change(next)
	obj, err := r.api.Update(ctx, r.who, n.resource.Name, "", next)
	switch {
	case apierrors.IsNotFound(err):
		return n, nil
	case err != nil:
		return n, err
	}
	return node{obj, n.resource}, nil
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

// report tells of an owner in another namespace, which counts as absent: a mistake
// that otherwise looks like bad luck.
func (r *Reconciler) report(ctx context.Context, n node, ref metav1.OwnerReference) {
	apiVersion, kind := n.resource.GVK.ToAPIVersionAndKind()
	about := &corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: n.GetNamespace(), Name: n.GetName(), UID: n.GetUID()}
	r.recorder.Event(ctx, about, corev1.EventTypeWarning, "OwnerRefInvalidNamespace", "ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
		ref.APIVersion, ref.Kind, n.GetNamespace(), ref.Name, ref.UID, n.GetNamespace())
}
