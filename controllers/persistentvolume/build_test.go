package persistentvolume

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

type claimOption func(*corev1.PersistentVolumeClaim)

// newClaim returns the claim default/c of 1Gi, ReadWriteOnce, of no class.
func newClaim(options ...claimOption) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "c", UID: "c-uid"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			StorageClassName: ptr.To(""),
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
	for _, option := range options {
		option(c)
	}
	return c
}

func ofClass(name string) claimOption {
	return func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &name }
}

func classless(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = nil }

func named(name string) claimOption {
	return func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = name }
}

func claimNote(key, value string) claimOption {
	return func(c *corev1.PersistentVolumeClaim) { metav1.SetMetaDataAnnotation(&c.ObjectMeta, key, value) }
}

func lost(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimLost }

type volumeOption func(*corev1.PersistentVolume)

// newVolume returns an Available hostPath volume of 1Gi, ReadWriteOnce, Retain, of no class.
func newVolume(name string, options ...volumeOption) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/mnt/data"}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
	for _, option := range options {
		option(v)
	}
	return v
}

func size(s string) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse(s) }
}

func modes(m ...corev1.PersistentVolumeAccessMode) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Spec.AccessModes = m }
}

func volumeClass(name string) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = name }
}

// claimedBy reserves the volume for default/name; uid may be empty.
func claimedBy(name, uid string) volumeOption {
	return func(v *corev1.PersistentVolume) {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: name, UID: types.UID(uid)}
	}
}

func inPhase(phase corev1.PersistentVolumePhase) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Status.Phase = phase }
}

func reclaimed(policy corev1.PersistentVolumeReclaimPolicy) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Spec.PersistentVolumeReclaimPolicy = policy }
}

func at(path string) volumeOption {
	return func(v *corev1.PersistentVolume) { v.Spec.HostPath.Path = path }
}

func nfs(v *corev1.PersistentVolume) {
	v.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s", Path: "/"}}
}

func local(v *corev1.PersistentVolume) {
	v.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/mnt"}}
}

func provisioned(v *corev1.PersistentVolume) {
	metav1.SetMetaDataAnnotation(&v.ObjectMeta, volume.AnnDynamicallyProvisioned, "example.com/disk")
}

func newClass(name, provisioner string, mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner, VolumeBindingMode: &mode}
}
