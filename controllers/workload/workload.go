// Package workload is what controllers that run Pods have in common: they claim Pods that
// match a selector and release those that do not any more, create them in batches that
// grow, delete them, and rank them by how little is lost with each.
//
// Invariant: it decides nothing by itself. Which Pods are claimed is a pure function of
// the controller and the Pods; how many there should be is up to its callers.
//
// It follows k8s.io/kubernetes pkg/controller v1.37.2 (PodControllerRefManager,
// RealPodControl) and slowStartBatch of pkg/controller/replicaset, without goroutines.
package workload

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Control writes the Pods of one kind of controllers, and the Events about that.
type Control struct {
	API      engine.API
	Recorder *engine.EventRecorder
	Who      engine.Identity
	// Kind is that of the controllers.
	Kind schema.GroupVersionKind
	// Finalizer is held by every Pod that is controlled; "" for none.
	Finalizer string
}

// Create creates a Pod for a controller and tells what came of it. That its namespace is
// being deleted is not worth telling, see NamespaceEnds.
func (c *Control) Create(ctx context.Context, owner engine.Object, pod *corev1.Pod) error {
	obj, err := c.API.Create(ctx, c.Who, engine.Pods, pod)
	switch {
	case err == nil:
		c.event(ctx, owner, corev1.EventTypeNormal, "SuccessfulCreate", "Created pod: %v", obj.GetName())
	case !NamespaceEnds(err):
		c.event(ctx, owner, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
	}
	return err
}

// NamespaceEnds reports whether a Pod was refused because its namespace is being deleted:
// it will never be created.
func NamespaceEnds(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// Delete deletes a Pod of a controller and tells what came of it. One that is gone is
// deleted.
func (c *Control) Delete(ctx context.Context, owner engine.Object, pod *corev1.Pod) error {
	err := c.API.Delete(ctx, c.Who, engine.Pods, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, metav1.DeleteOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		c.event(ctx, owner, corev1.EventTypeWarning, "FailedDelete", "Error deleting: %v", err)
		return err
	}
	c.event(ctx, owner, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted pod: %v", pod.Name)
	return nil
}

func (c *Control) event(ctx context.Context, owner engine.Object, eventType, reason, format string, args ...any) {
	c.Recorder.Event(ctx, engine.Reference(owner, c.Kind.GroupVersion().String(), c.Kind.Kind), eventType, reason, format, args...)
}

// IsOf reports whether ref leads to an object of the kind.
func IsOf(ref *metav1.OwnerReference, kind schema.GroupVersionKind) bool {
	return ref.Kind == kind.Kind && ref.APIVersion == kind.GroupVersion().String()
}
