package localpath

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// These are the Events of a resizer. Source: github.com/kubernetes-csi/external-resizer
// pkg/util.
const (
	resizing      = "Resizing"
	resizeSuccess = "VolumeResizeSuccessful"
)

// growth is what a volume and its claim are to be after a resize; both nil for none.
type growth struct {
	Volume *corev1.PersistentVolume
	Claim  *corev1.PersistentVolumeClaim
}

// grow returns what is to be written if claim wants more than its volume v has. A
// directory has no size, so no kubelet has to resize a file system: the claim has what it
// wants at once.
//
// Deviation: local-path-provisioner has no resizer, so a claim of it never grows, even if
// its class allows that.
func grow(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, v *corev1.PersistentVolume) growth {
	wants := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if claim.Status.Phase != corev1.ClaimBound || claim.DeletionTimestamp != nil || class == nil || !ptr.Deref(class.AllowVolumeExpansion, false) ||
		v.Annotations[volume.AnnDynamicallyProvisioned] != Provisioner || v.Spec.ClaimRef == nil || v.Spec.ClaimRef.UID != claim.UID {
		return growth{}
	}
	var out growth
	if v.Spec.Capacity.Storage().Cmp(wants) < 0 {
		out.Volume = v.DeepCopy()
		set(&out.Volume.Spec.Capacity, wants)
	}
	if claim.Status.Capacity.Storage().Cmp(wants) < 0 {
		out.Claim = claim.DeepCopy()
		set(&out.Claim.Status.Capacity, wants)
		set(&out.Claim.Status.AllocatedResources, wants)
		out.Claim.Status.AllocatedResourceStatuses = nil
	}
	return out
}

func set(list *corev1.ResourceList, size resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[corev1.ResourceStorage] = size
}

// resize carries g out for claim.
func (r *Reconciler) resize(ctx context.Context, claim *corev1.PersistentVolumeClaim, g growth) error {
	ref := engine.Reference(claim, "v1", "PersistentVolumeClaim")
	if g.Volume != nil {
		r.recorder.Event(ctx, ref, corev1.EventTypeNormal, resizing, "External resizer is resizing volume %s", g.Volume.Name)
		if _, err := r.api.Update(ctx, r.who, engine.PersistentVolumes, "", g.Volume); err != nil {
			return err
		}
	}
	if g.Claim == nil {
		return nil
	}
	if _, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, "status", g.Claim); err != nil {
		return err
	}
	r.recorder.Event(ctx, ref, corev1.EventTypeNormal, resizeSuccess, "Resize volume succeeded")
	return nil
}
