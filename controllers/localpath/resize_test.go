package localpath

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

func TestGrow(t *testing.T) {
	size := func(text string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(text)}
	}
	claim := func(wants, has string, phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data", UID: "1"},
			Spec:       corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: size(wants)}},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase, Capacity: size(has)},
		}
	}
	made := func(has, by string) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: "pvc-1", Annotations: map[string]string{volume.AnnDynamicallyProvisioned: by}},
			Spec:       corev1.PersistentVolumeSpec{Capacity: size(has), ClaimRef: &corev1.ObjectReference{UID: "1"}},
		}
	}
	allows := &storagev1.StorageClass{AllowVolumeExpansion: ptr.To(true)}
	for name, tc := range map[string]struct {
		claim         *corev1.PersistentVolumeClaim
		class         *storagev1.StorageClass
		volume        *corev1.PersistentVolume
		grows, writes bool // the volume, the claim
	}{
		"both grow":                         {claim("2Gi", "1Gi", corev1.ClaimBound), allows, made("1Gi", Provisioner), true, true},
		"the volume has grown already":      {claim("2Gi", "1Gi", corev1.ClaimBound), allows, made("2Gi", Provisioner), false, true},
		"both have":                         {claim("2Gi", "2Gi", corev1.ClaimBound), allows, made("2Gi", Provisioner), false, false},
		"the class does not allow it":       {claim("2Gi", "1Gi", corev1.ClaimBound), &storagev1.StorageClass{}, made("1Gi", Provisioner), false, false},
		"the class is gone":                 {claim("2Gi", "1Gi", corev1.ClaimBound), nil, made("1Gi", Provisioner), false, false},
		"somebody else has made the volume": {claim("2Gi", "1Gi", corev1.ClaimBound), allows, made("1Gi", "other"), false, false},
		"the claim is not bound":            {claim("2Gi", "1Gi", corev1.ClaimPending), allows, made("1Gi", Provisioner), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := grow(tc.claim, tc.class, tc.volume)
			if (got.Volume != nil) != tc.grows || (got.Claim != nil) != tc.writes {
				t.Fatalf("grow says %+v", got)
			}
			if got.Volume != nil && got.Volume.Spec.Capacity.Storage().String() != "2Gi" ||
				got.Claim != nil && (got.Claim.Status.Capacity.Storage().String() != "2Gi" || got.Claim.Status.AllocatedResources.Storage().String() != "2Gi") {
				t.Errorf("grow says %+v", got)
			}
			if tc.volume.Spec.Capacity.Storage().String() == "1Gi" && tc.claim.Status.Capacity.Storage().String() != "1Gi" {
				t.Error("grow has changed its arguments")
			}
		})
	}
}
