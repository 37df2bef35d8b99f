package localpath

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

// root is where the directories are on each Node. Source: kind's
// pkg/build/nodeimage, defaultStorageManifest.
const root = "/var/local-path-provisioner"

// selectedNode is the provisioner's own annotation. Source:
// nodeNameAnnotationKey, local-path-provisioner v0.0.31.
const selectedNode = "local.path.provisioner/selected-node"

// plan is what becomes of a claim.
type plan struct {
	// Volume is created.
	Volume *corev1.PersistentVolume
	// Failure says why there cannot be one.
	Failure string
}

// volumeName is the name of the volume of a claim.
func volumeName(claim *corev1.PersistentVolumeClaim) string { return "pvc-" + string(claim.UID) }

// decide makes a volume for a claim that waits for one. class is the claim's, node
// the one that the scheduler has selected; either is nil if there is none.
func decide(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) plan {
	if claim.Spec.VolumeName != "" || class == nil || class.Provisioner != Provisioner || claim.Annotations[volume.AnnStorageProvisioner] != Provisioner {
		return plan{}
	}
	delayed := ptr.Deref(class.VolumeBindingMode, storagev1.VolumeBindingImmediate) == storagev1.VolumeBindingWaitForFirstConsumer
	if delayed && node == nil {
		return plan{}
	}
	if why := refusal(claim, node); why != "" {
		return plan{Failure: fmt.Sprintf("failed to provision volume with StorageClass %q: %s", class.Name, why)}
	}
	return plan{Volume: newVolume(claim, class, node)}
}

// refusal says why there is no volume, empty if there is. Source:
// LocalPathProvisioner.provisionFor, local-path-provisioner v0.0.31.
func refusal(claim *corev1.PersistentVolumeClaim, node *corev1.Node) string {
	switch {
	case claim.Spec.Selector != nil:
		return "claim.Spec.Selector is not supported"
	case slices.ContainsFunc(claim.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
		return m != corev1.ReadWriteOnce && m != corev1.ReadWriteOncePod
	}):
		return "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes"
	case node == nil:
		return "configuration error, no node was specified"
	}
	return ""
}

func newVolume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) *corev1.PersistentVolume {
	name := volumeName(claim)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{
			selectedNode:                     node.Name,
			volume.AnnDynamicallyProvisioned: Provisioner,
		}},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: ptr.Deref(class.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete),
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    ptr.To(corev1.PersistentVolumeFilesystem),
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			StorageClassName:              class.Name,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{
				Path: path.Join(root, strings.Join([]string{name, claim.Namespace, claim.Name}, "_")),
				Type: ptr.To(corev1.HostPathDirectoryOrCreate),
			}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{cmp.Or(node.Labels[corev1.LabelHostname], node.Name)},
				}}}},
			}},
		},
	}
}

// reclaims reports whether a volume of ours is to be deleted.
func reclaims(v *corev1.PersistentVolume) bool {
	return v.Status.Phase == corev1.VolumeReleased && v.DeletionTimestamp == nil &&
		v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete && v.Annotations[volume.AnnDynamicallyProvisioned] == Provisioner
}
