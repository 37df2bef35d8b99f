// Package pvprotection keeps PersistentVolumes that claims are bound to.
//
// Invariant: a volume that is being deleted loses the finalizer
// kubernetes.io/pv-protection when it is not Bound, not before.
//
// It follows k8s.io/kubernetes pkg/controller/volume/pvprotection v1.37.2.
package pvprotection

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "pvprotection"

// finalizer is what admission gives every volume. Source: PVProtectionFinalizer,
// k8s.io/kubernetes pkg/volume/util v1.37.2.
const finalizer = "kubernetes.io/pv-protection"

// Reconciler takes the finalizer from volumes.
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
	host.View.Track(engine.PersistentVolumes)
	return &Reconciler{view: host.View, api: host.API, who: engine.ControllerIdentity("pv-protection-controller")}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	if c.Resource != engine.PersistentVolumes {
		return nil
	}
	return []engine.Key{{Controller: Name, Name: c.Object.GetName()}}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	v, ok := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", key.Name)
	if !ok || !releases(v) {
		return engine.Wake{}, nil
	}
	v = v.DeepCopy()
	v.Finalizers = slices.DeleteFunc(v.Finalizers, func(f string) bool { return f == finalizer })
	_, err := r.api.Update(ctx, r.who, engine.PersistentVolumes, "", v)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return engine.Wake{}, err
}

// releases decides whether the volume loses the finalizer.
func releases(v *corev1.PersistentVolume) bool {
	return v.DeletionTimestamp != nil && v.Status.Phase != corev1.VolumeBound && slices.Contains(v.Finalizers, finalizer)
}
