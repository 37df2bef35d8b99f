// Package expand tells, for each claim that is to grow, which component has to resize it.
//
// It follows k8s.io/kubernetes pkg/controller/volume/expand v1.37.2. The kinds of volumes
// that it once expanded itself are expanded by CSI drivers today. Here the local
// provisioner does it (controllers/localpath), if the class allows it.
package expand

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/volume/events"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "expand"

// Reconciler reconciles claims.
type Reconciler struct{ engine.Host }

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.PersistentVolumes, engine.PersistentVolumeClaims)
	return &Reconciler{host}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler: a bound claim whose request has grown.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	claim, ok := c.Object.(*corev1.PersistentVolumeClaim)
	old, had := c.Old.(*corev1.PersistentVolumeClaim)
	if !ok || !had || c.Type != watch.Modified || claim.Status.Phase != corev1.ClaimBound ||
		claim.Spec.Resources.Requests.Storage().Cmp(*old.Spec.Resources.Requests.Storage()) <= 0 {
		return nil
	}
	return []engine.Key{{Controller: Name, Namespace: claim.Namespace, Name: claim.Name}}
}

// decide reports whether a claim waits for somebody to expand its volume, nil if there is
// none. Upstream: expandController.syncHandler.
func decide(claim *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume) bool {
	if volume == nil || volume.Spec.ClaimRef == nil || volume.Spec.ClaimRef.Namespace != claim.Namespace || volume.Spec.ClaimRef.UID != claim.UID {
		return false
	}
	return claim.Spec.Resources.Requests.Storage().Cmp(*claim.Status.Capacity.Storage()) > 0
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.View, engine.PersistentVolumeClaims, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	if volume, _ := engine.Get[*corev1.PersistentVolume](r.View, engine.PersistentVolumes, "", claim.Spec.VolumeName); decide(claim, volume) {
		r.Recorder.Event(ctx, engine.Reference(claim, "v1", "PersistentVolumeClaim"), corev1.EventTypeNormal, events.ExternalExpanding,
			"waiting for an external controller to expand this PVC")
	}
	return engine.Wake{}, nil
}
