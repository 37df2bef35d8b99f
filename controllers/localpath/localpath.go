// Package localpath provisions PersistentVolumes: directories of a node, as the
// provisioner of a kind cluster does.
//
// Invariant: it makes at most one volume for a claim, named pvc-UID, on the Node
// that the scheduler has selected; and it deletes and enlarges only what it has made.
//
// It follows github.com/rancher/local-path-provisioner v0.0.31 as kind v0.30
// configures it, and sigs.k8s.io/sig-storage-lib-external-provisioner v11.
//
// Deviation: what it cannot provision it tries again when the claim changes, not
// after a back-off.
//
// Deviation: no helper Pods make and remove the directories; the simulated
// kubelets do, at once. The namespace local-path-storage does not exist.
package localpath

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/kubernetes/pkg/controller/volume/events"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "localpath"

// Provisioner is what a StorageClass calls it.
const Provisioner = "rancher.io/local-path"

// Account is the user that it writes as.
const Account = "system:serviceaccount:local-path-storage:local-path-provisioner-service-account"

// Reconciler provisions volumes. Its keys are claims, with a namespace, and
// volumes, without.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	who      engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.PersistentVolumes, engine.PersistentVolumeClaims, engine.StorageClasses, engine.Nodes)
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who: engine.Identity{User: Account, Groups: []string{"system:serviceaccounts", "system:authenticated"}},
	}, nil
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *corev1.PersistentVolumeClaim:
		wants, has := obj.Spec.Resources.Requests.Storage(), obj.Status.Capacity.Storage()
		grows := obj.Status.Phase == corev1.ClaimBound && wants.Cmp(*has) > 0
		if obj.Annotations[volume.AnnStorageProvisioner] == Provisioner && (obj.Spec.VolumeName == "" || grows) {
			return []engine.Key{{Controller: Name, Namespace: obj.Namespace, Name: obj.Name}}
		}
	case *corev1.PersistentVolume:
		if obj.Annotations[volume.AnnDynamicallyProvisioned] == Provisioner {
			return []engine.Key{{Controller: Name, Name: obj.Name}}
		}
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	if key.Namespace == "" {
		return engine.Wake{}, r.reclaim(ctx, key.Name)
	}
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	class, _ := engine.Get[*storagev1.StorageClass](r.view, engine.StorageClasses, "", volume.GetPersistentVolumeClaimClass(claim))
	node, _ := engine.Get[*corev1.Node](r.view, engine.Nodes, "", claim.Annotations[volume.AnnSelectedNode])
	if made, ok := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", volumeName(claim)); ok {
		return engine.Wake{}, r.resize(ctx, claim, grow(claim, class, made))
	}
	return engine.Wake{}, r.apply(ctx, claim, decide(claim, class, node))
}

// apply carries p out.
func (r *Reconciler) apply(ctx context.Context, claim *corev1.PersistentVolumeClaim, p plan) error {
	if p.Volume == nil && p.Failure == "" {
		return nil
	}
	ref := engine.Reference(claim, "v1", "PersistentVolumeClaim")
	r.recorder.Event(ctx, ref, corev1.EventTypeNormal, "Provisioning", "External provisioner is provisioning volume for claim \"%s/%s\"", claim.Namespace, claim.Name)
	if p.Failure != "" {
		r.recorder.Event(ctx, ref, corev1.EventTypeWarning, events.ProvisioningFailed, "%s", p.Failure)
		return nil
	}
	if _, err := r.api.Create(ctx, r.who, engine.PersistentVolumes, p.Volume); err != nil {
		return err
	}
	r.recorder.Event(ctx, ref, corev1.EventTypeNormal, events.ProvisioningSucceeded, "Successfully provisioned volume %s", p.Volume.Name)
	return nil
}

// reclaim deletes a volume of ours that is Released.
func (r *Reconciler) reclaim(ctx context.Context, name string) error {
	v, ok := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", name)
	if !ok || !reclaims(v) {
		return nil
	}
	err := r.api.Delete(ctx, r.who, engine.PersistentVolumes, types.NamespacedName{Name: name}, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
