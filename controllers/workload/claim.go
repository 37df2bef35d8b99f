package workload

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Claims sorts the objects, mostly Pods, that a controller controls or could control.
type Claims[T engine.Object] struct {
	// Own are its objects already.
	Own []T
	// Adopt have no controller and match the selector.
	Adopt []T
	// Release are controlled by it and no longer match its selector.
	Release []T
}

// Claim decides which objects a controller has. owned are those with a reference to it, or
// to another of its name; orphans have no controller; those for which counts is false are
// left alone. Source: BaseControllerRefManager.ClaimObject in k8s.io/kubernetes
// pkg/controller v1.37.2.
func Claim[T engine.Object](owner metav1.Object, selector labels.Selector, owned, orphans []T, counts func(T) bool) Claims[T] {
	var c Claims[T]
	for _, obj := range owned {
		ref := metav1.GetControllerOfNoCopy(obj)
		switch {
		case ref == nil || ref.UID != owner.GetUID() || !counts(obj):
		case selector.Matches(labels.Set(obj.GetLabels())):
			c.Own = append(c.Own, obj)
		case owner.GetDeletionTimestamp() == nil:
			c.Release = append(c.Release, obj)
		}
	}
	if owner.GetDeletionTimestamp() != nil {
		return c
	}
	for _, obj := range orphans {
		if obj.GetDeletionTimestamp() == nil && counts(obj) && selector.Matches(labels.Set(obj.GetLabels())) {
			c.Adopt = append(c.Adopt, obj)
		}
	}
	return c
}

// Claim carries claims of Pods out and returns the controller's Pods, by name.
func (c *Control) Claim(ctx context.Context, owner engine.Object, claims Claims[*corev1.Pod]) ([]*corev1.Pod, error) {
	return Carry(ctx, c, engine.Pods, owner, claims)
}

// Carry carries claims of a resource's objects out and returns those of the controller, by
// name.
func Carry[T engine.Object](ctx context.Context, c *Control, resource engine.Resource, owner engine.Object, claims Claims[T]) ([]T, error) {
	for _, obj := range claims.Release {
		if err := c.release(ctx, resource, owner, copyOf(obj)); err != nil {
			return nil, err
		}
	}
	all := claims.Own
	for _, obj := range claims.Adopt {
		adopted, err := c.adopt(ctx, resource, owner, copyOf(obj))
		if err != nil {
			return nil, &AdoptionError{Name: obj.GetName(), Err: err}
		}
		if adopted != nil {
			all = append(all, adopted.(T))
		}
	}
	if len(claims.Adopt) > 0 {
		slices.SortFunc(all, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	}
	return all, nil
}

func copyOf(obj engine.Object) engine.Object { return obj.DeepCopyObject().(engine.Object) }

// AdoptionError is why an object could not be adopted.
type AdoptionError struct {
	Name string
	Err  error
}

// Error implements error.
func (e *AdoptionError) Error() string { return e.Err.Error() }

// Unwrap lets errors.As find the API's own error.
func (e *AdoptionError) Unwrap() error { return e.Err }

// adopt changes obj and returns it as it is now, or nil if it is gone. A reference to the
// controller that it has already becomes one that controls.
func (c *Control) adopt(ctx context.Context, resource engine.Resource, owner, obj engine.Object) (engine.Object, error) {
	ref, refs := *metav1.NewControllerRef(owner, c.Kind), obj.GetOwnerReferences()
	if i := slices.IndexFunc(refs, func(old metav1.OwnerReference) bool { return old.UID == owner.GetUID() }); i >= 0 {
		refs[i] = ref
	} else {
		refs = append(refs, ref)
	}
	obj.SetOwnerReferences(refs)
	if c.Finalizer != "" && !slices.Contains(obj.GetFinalizers(), c.Finalizer) {
		obj.SetFinalizers(append(obj.GetFinalizers(), c.Finalizer))
	}
	stored, err := c.API.Update(ctx, c.Who, resource, "", obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return stored, err
}

// release changes obj.
func (c *Control) release(ctx context.Context, resource engine.Resource, owner, obj engine.Object) error {
	obj.SetOwnerReferences(slices.DeleteFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.UID == owner.GetUID() }))
	if c.Finalizer != "" {
		obj.SetFinalizers(slices.DeleteFunc(obj.GetFinalizers(), func(f string) bool { return f == c.Finalizer }))
	}
	_, err := c.API.Update(ctx, c.Who, resource, "", obj)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
}
