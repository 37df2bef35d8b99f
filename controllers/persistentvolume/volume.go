package persistentvolume

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/kubernetes/pkg/controller/volume/events"
)

// volumePlan is what a volume needs.
type volumePlan struct {
	// Phase and Message are its new status; an empty Phase leaves it alone.
	Phase   corev1.PersistentVolumePhase
	Message string
	// Unbind takes the claim from it, or only the claim's UID where a user has
	// named the claim.
	Unbind bool
	// Delete deletes it.
	Delete bool
	// Event is about the volume, ClaimEvent about its claim.
	Event, ClaimEvent event
}

// decideVolume follows syncVolume, pkg/controller/volume/persistentvolume v1.37.2.
// claim is the one of the name that the volume says, nil if there is none.
func decideVolume(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) volumePlan {
	ref := v.Spec.ClaimRef
	if ref == nil || ref.UID == "" {
		return phase(v, corev1.VolumeAvailable)
	}
	if claim != nil && claim.UID != ref.UID {
		claim = nil // the claim that was meant is gone; this one has only its name
	}
	switch {
	case claim == nil:
		return release(v)
	case claim.Spec.VolumeName == v.Name:
		return phase(v, corev1.VolumeBound)
	case claim.Spec.VolumeName == "":
		if volume.CheckVolumeModeMismatches(&claim.Spec, &v.Spec) {
			return volumePlan{
				Event:      warning(events.VolumeMismatch, fmt.Sprintf("Cannot bind PersistentVolume to requested PersistentVolumeClaim %q due to incompatible volumeMode.", claim.Name)),
				ClaimEvent: warning(events.VolumeMismatch, fmt.Sprintf("Cannot bind PersistentVolume %q to requested PersistentVolumeClaim due to incompatible volumeMode.", v.Name)),
			}
		}
		return volumePlan{} // the claim's own step binds it
	case metav1.HasAnnotation(v.ObjectMeta, volume.AnnDynamicallyProvisioned) && v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete:
		return release(v)
	}
	return volumePlan{Unbind: true}
}

// phase is the plan that v is in a phase.
func phase(v *corev1.PersistentVolume, want corev1.PersistentVolumePhase) volumePlan {
	if v.Status.Phase == want {
		return volumePlan{}
	}
	return volumePlan{Phase: want}
}

// release is for a volume whose claim does not want it any more: it is Released,
// and in the step after that reclaimed.
func release(v *corev1.PersistentVolume) volumePlan {
	if v.Status.Phase != corev1.VolumeReleased && v.Status.Phase != corev1.VolumeFailed {
		return volumePlan{Phase: corev1.VolumeReleased}
	}
	switch v.Spec.PersistentVolumeReclaimPolicy {
	case corev1.PersistentVolumeReclaimRecycle:
		if v.Spec.HostPath == nil && v.Spec.NFS == nil {
			return failed(v, events.VolumeFailedRecycle, "No recycler plugin found for the volume!")
		}
		return volumePlan{Unbind: true, Event: normal(events.VolumeRecycled, "Volume recycled")}
	case corev1.PersistentVolumeReclaimDelete:
		return reclaimByDelete(v)
	}
	return volumePlan{}
}

// deletable are the directories that the deleter of hostPath volumes accepts.
// Source: hostPathDeleter.Delete, pkg/volume/hostpath v1.37.2.
const deletable = "/tmp/.+"

func reclaimByDelete(v *corev1.PersistentVolume) volumePlan {
	switch {
	case v.DeletionTimestamp != nil, v.Annotations[volume.AnnDynamicallyProvisioned] != "", v.Spec.CSI != nil:
		return volumePlan{} // deleted already, or whoever has provisioned it deletes it
	case v.Spec.HostPath == nil:
		return failed(v, events.VolumeFailedDelete, fmt.Sprintf("error getting deleter volume plugin for volume %q: no deletable volume plugin matched", v.Name))
	}
	if ok, err := regexp.MatchString(deletable, v.Spec.HostPath.Path); err != nil || !ok {
		return failed(v, events.VolumeFailedDelete, fmt.Sprintf("host_path deleter only supports %s but received provided %s", deletable, v.Spec.HostPath.Path))
	}
	return volumePlan{Delete: true}
}

// failed is the plan of a volume that cannot be reclaimed, said once.
func failed(v *corev1.PersistentVolume, reason, message string) volumePlan {
	if v.Status.Phase == corev1.VolumeFailed {
		return volumePlan{}
	}
	return volumePlan{Phase: corev1.VolumeFailed, Message: message, Event: warning(reason, message)}
}
