// Package pvcprotection keeps PersistentVolumeClaims that Pods use.
//
// Invariant: a claim that is being deleted loses the finalizer
// kubernetes.io/pvc-protection when no Pod with a Node names it, not before.
// Pods that have ended count until they are deleted.
//
// It follows k8s.io/kubernetes pkg/controller/volume/pvcprotection v1.37.2.
package pvcprotection

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubernetes/pkg/controller/volume/common"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "pvcprotection"

// finalizer is what admission gives every claim. Source: PVCProtectionFinalizer,
// k8s.io/kubernetes pkg/volume/util v1.37.2.
const finalizer = "kubernetes.io/pvc-protection"

// podsByClaim is the View's index of Pods by namespace/name of their claims.
const podsByClaim = "pvcprotection/claims"

// Reconciler takes the finalizer from claims.
type Reconciler struct {
	view *engine.View
	api  engine.API
	who  engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.Validate(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.PersistentVolumeClaims)
	host.View.Index(engine.Pods, podsByClaim, claimsOf)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("pvc-protection-controller")}, nil
}

func claimsOf(obj engine.Object) []string {
	keys, _ := common.PodPVCIndexFunc()(obj) // it never fails
	return keys
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler: claims, and those of Pods.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *corev1.PersistentVolumeClaim:
		return []engine.Key{{Controller: Name, Namespace: obj.Namespace, Name: obj.Name}}
	case *corev1.Pod:
		var keys []engine.Key
		for _, claim := range claimsOf(obj) {
			keys = append(keys, engine.Key{Controller: Name, Namespace: obj.Namespace, Name: claim[len(obj.Namespace)+1:]})
		}
		return keys
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, key.Namespace, key.Name)
	if !ok || !releases(claim, engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByClaim, key.Namespace+"/"+key.Name)) {
		return engine.Wake{}, nil
	}
	claim = claim.DeepCopy()
	claim.Finalizers = slices.DeleteFunc(claim.Finalizers, func(f string) bool { return f == finalizer })
	_, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, "", claim)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return engine.Wake{}, err
}

// releases decides whether the claim that pods name loses the finalizer. A Pod
// without a Node does not keep it: no kubelet starts a Pod whose claim is being
// deleted.
func releases(claim *corev1.PersistentVolumeClaim, pods []*corev1.Pod) bool {
	return claim.DeletionTimestamp != nil && slices.Contains(claim.Finalizers, finalizer) &&
		!slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" })
}
