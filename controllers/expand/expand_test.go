package expand

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestDecide(t *testing.T) {
	size := func(text string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(text)}
	}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data", UID: "1"},
		Spec:       corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: size("2Gi")}},
		Status:     corev1.PersistentVolumeClaimStatus{Capacity: size("1Gi")},
	}
	grown := claim.DeepCopy()
	grown.Status.Capacity = size("2Gi")
	volume := func(uid types.UID) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "default", Name: "data", UID: uid}}}
	}
	for name, tc := range map[string]struct {
		claim  *corev1.PersistentVolumeClaim
		volume *corev1.PersistentVolume
		want   bool
	}{
		"it wants more":           {claim, volume("1"), true},
		"it has it":               {grown, volume("1"), false},
		"its volume is gone":      {claim, nil, false},
		"its volume is another's": {claim, volume("2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(tc.claim, tc.volume); got != tc.want {
				t.Errorf("decide says %v, want %v", got, tc.want)
			}
		})
	}
}
