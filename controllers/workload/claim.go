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

// Claims sorts the Pods that a controller controls or could control.
type Claims struct {
	// Own are its Pods already.
	Own []*corev1.Pod
	// Adopt have no controller and match the selector.
	Adopt []*corev1.Pod
	// Release are controlled by it and no longer match its selector.
	Release []*corev1.Pod
}

// Claim decides which Pods a controller has. owned are those with a reference to it, or
// to another of its name; orphans have no controller; those for which counts is false are
// left alone. Source: BaseControllerRefManager.ClaimObject in k8s.io/kubernetes
// pkg/controller v1.37.2.
func Claim(owner metav1.Object, selector labels.Selector, owned, orphans []*corev1.Pod, counts func(*corev1.Pod) bool) Claims {
	var c Claims
	for _, pod := range owned {
		ref := metav1.GetControllerOfNoCopy(pod)
		switch {
		case ref == nil || ref.UID != owner.GetUID() || !counts(pod):
		case selector.Matches(labels.Set(pod.Labels)):
			c.Own = append(c.Own, pod)
		case owner.GetDeletionTimestamp() == nil:
			c.Release = append(c.Release, pod)
		}
	}
	if owner.GetDeletionTimestamp() != nil {
		return c
	}
	for _, pod := range orphans {
		if pod.DeletionTimestamp == nil && counts(pod) && selector.Matches(labels.Set(pod.Labels)) {
			c.Adopt = append(c.Adopt, pod)
		}
	}
	return c
}

// Claim carries claims out and returns the controller's Pods, by name.
func (c *Control) Claim(ctx context.Context, owner engine.Object, claims Claims) ([]*corev1.Pod, error) {
	for _, pod := range claims.Release {
		if err := c.release(ctx, owner, pod); err != nil {
			return nil, err
		}
	}
	pods := claims.Own
	for _, pod := range claims.Adopt {
		adopted, err := c.adopt(ctx, owner, pod)
		if err != nil {
			return nil, &AdoptionError{Pod: pod.Name, Err: err}
		}
		pods = append(pods, adopted...)
	}
	if len(claims.Adopt) > 0 {
		slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	}
	return pods, nil
}

// AdoptionError is why a Pod could not be adopted.
type AdoptionError struct {
	Pod string
	Err error
}

// Error implements error.
func (e *AdoptionError) Error() string { return e.Err.Error() }

// Unwrap lets errors.As find the API's own error.
func (e *AdoptionError) Unwrap() error { return e.Err }

// adopt returns the Pod as it is now, or nothing if it is gone. A reference to the
// controller that it has already becomes one that controls.
func (c *Control) adopt(ctx context.Context, owner engine.Object, pod *corev1.Pod) ([]*corev1.Pod, error) {
	pod = pod.DeepCopy()
	ref := *metav1.NewControllerRef(owner, c.Kind)
	if i := slices.IndexFunc(pod.OwnerReferences, func(old metav1.OwnerReference) bool { return old.UID == owner.GetUID() }); i >= 0 {
		pod.OwnerReferences[i] = ref
	} else {
		pod.OwnerReferences = append(pod.OwnerReferences, ref)
	}
	if c.Finalizer != "" && !slices.Contains(pod.Finalizers, c.Finalizer) {
		pod.Finalizers = append(pod.Finalizers, c.Finalizer)
	}
	obj, err := c.API.Update(ctx, c.Who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []*corev1.Pod{obj.(*corev1.Pod)}, nil
}

func (c *Control) release(ctx context.Context, owner engine.Object, pod *corev1.Pod) error {
	pod = pod.DeepCopy()
	pod.OwnerReferences = slices.DeleteFunc(pod.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == owner.GetUID() })
	if c.Finalizer != "" {
		pod.Finalizers = slices.DeleteFunc(pod.Finalizers, func(f string) bool { return f == c.Finalizer })
	}
	_, err := c.API.Update(ctx, c.Who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
}
