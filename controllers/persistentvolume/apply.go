package persistentvolume

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/volume"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// applyClaim carries p out.
func (r *Reconciler) applyClaim(ctx context.Context, claim *corev1.PersistentVolumeClaim, p claimPlan) error {
	var err error
	switch {
	case p.Bind != nil:
		err = r.bind(ctx, p.Bind, claim)
	case p.Class != "":
		updated := claim.DeepCopy()
		updated.Spec.StorageClassName = &p.Class
		_, err = r.updateClaim(ctx, "", updated)
	case p.Provisioner != "":
		updated := claim.DeepCopy()
		metav1.SetMetaDataAnnotation(&updated.ObjectMeta, volume.AnnBetaStorageProvisioner, p.Provisioner)
		metav1.SetMetaDataAnnotation(&updated.ObjectMeta, volume.AnnStorageProvisioner, p.Provisioner)
		_, err = r.updateClaim(ctx, "", updated)
	case p.Phase != "":
		err = r.setClaimPhase(ctx, claim, p.Phase, nil)
	}
	if err != nil {
		return err
	}
	r.event(ctx, engine.Reference(claim, "v1", "PersistentVolumeClaim"), p.Event)
	return nil
}

// bind makes the volume and the claim name each other and marks both as Bound,
// the volume first. Whatever is so already is not written again.
func (r *Reconciler) bind(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) error {
	updated, changed, err := volume.GetBindVolumeToClaim(v, claim)
	if err != nil {
		return fmt.Errorf("persistentvolume: %w", err)
	}
	if changed {
		if v, err = r.updateVolume(ctx, "", updated); err != nil {
			return err
		}
	}
	if v, err = r.setVolumePhase(ctx, v, corev1.VolumeBound, ""); err != nil {
		return err
	}
	if bound := boundTo(claim, v); bound != nil {
		if claim, err = r.updateClaim(ctx, "", bound); err != nil {
			return err
		}
	}
	return r.setClaimPhase(ctx, claim, corev1.ClaimBound, v)
}

// boundTo returns the claim that names the volume, nil if it does already.
func boundTo(claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) *corev1.PersistentVolumeClaim {
	if claim.Spec.VolumeName == v.Name && bindCompleted(claim) {
		return nil
	}
	out := claim.DeepCopy()
	if out.Spec.VolumeName != v.Name {
		out.Spec.VolumeName = v.Name
		metav1.SetMetaDataAnnotation(&out.ObjectMeta, volume.AnnBoundByController, "yes")
	}
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, volume.AnnBindCompleted, "yes")
	return out
}

// setClaimPhase writes the claim's status: what the volume has, if there is one.
func (r *Reconciler) setClaimPhase(ctx context.Context, claim *corev1.PersistentVolumeClaim, phase corev1.PersistentVolumeClaimPhase, v *corev1.PersistentVolume) error {
	out := claim.DeepCopy()
	out.Status.Phase = phase
	if v == nil {
		out.Status.AccessModes, out.Status.Capacity, out.Status.CurrentVolumeAttributesClassName = nil, nil, nil
	} else {
		out.Status.AccessModes = v.Spec.AccessModes
		if claim.Status.Phase != phase { // later, the resizer of the volume says what the claim has
			out.Status.Capacity = maps.Clone(v.Spec.Capacity)
		}
	}
	if equality.Semantic.DeepEqual(claim.Status, out.Status) {
		return nil
	}
	_, err := r.updateClaim(ctx, "status", out)
	return err
}

// applyVolume carries p out.
func (r *Reconciler) applyVolume(ctx context.Context, v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, p volumePlan) error {
	ref := engine.Reference(v, "v1", "PersistentVolume")
	if p.Unbind {
		r.event(ctx, ref, p.Event)
		updated, err := r.updateVolume(ctx, "", unboundVolume(v))
		if err == nil {
			_, err = r.setVolumePhase(ctx, updated, corev1.VolumeAvailable, "")
		}
		return err
	}
	if p.Delete {
		err := r.api.Delete(ctx, r.who, engine.PersistentVolumes, types.NamespacedName{Name: v.Name}, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if p.Phase != "" {
		if _, err := r.setVolumePhase(ctx, v, p.Phase, p.Message); err != nil {
			return err
		}
	}
	r.event(ctx, ref, p.Event)
	if claim != nil {
		r.event(ctx, engine.Reference(claim, "v1", "PersistentVolumeClaim"), p.ClaimEvent)
	}
	return nil
}

// unboundVolume returns the volume without the claim that this controller bound
// to it; a claim that a user has named stays reserved.
func unboundVolume(v *corev1.PersistentVolume) *corev1.PersistentVolume {
	out := v.DeepCopy()
	if !metav1.HasAnnotation(v.ObjectMeta, volume.AnnBoundByController) {
		out.Spec.ClaimRef.UID = ""
		return out
	}
	out.Spec.ClaimRef = nil
	delete(out.Annotations, volume.AnnBoundByController)
	return out
}

func (r *Reconciler) setVolumePhase(ctx context.Context, v *corev1.PersistentVolume, phase corev1.PersistentVolumePhase, message string) (*corev1.PersistentVolume, error) {
	if v.Status.Phase == phase {
		return v, nil
	}
	out := v.DeepCopy()
	out.Status.Phase, out.Status.Message = phase, message
	return r.updateVolume(ctx, "status", out)
}

func (r *Reconciler) updateVolume(ctx context.Context, subresource string, v *corev1.PersistentVolume) (*corev1.PersistentVolume, error) {
	obj, err := r.api.Update(ctx, r.who, engine.PersistentVolumes, subresource, v)
	if err != nil {
		return nil, err
	}
	return obj.(*corev1.PersistentVolume), nil
}

func (r *Reconciler) updateClaim(ctx context.Context, subresource string, claim *corev1.PersistentVolumeClaim) (*corev1.PersistentVolumeClaim, error) {
	obj, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, subresource, claim)
	if err != nil {
		return nil, err
	}
	return obj.(*corev1.PersistentVolumeClaim), nil
}

func (r *Reconciler) event(ctx context.Context, ref *corev1.ObjectReference, e event) {
	if e.Reason != "" {
		r.recorder.Event(ctx, ref, e.Type, e.Reason, "%s", e.Message)
	}
}
