package ephemeral

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestDecide(t *testing.T) {
	spec := corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}
	v := corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{
		VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: spec},
	}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1"}, Spec: corev1.PodSpec{Volumes: []corev1.Volume{v}}}
	own := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-scratch", Labels: map[string]string{"a": "b"}, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Pod", Name: "web", UID: "1", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)},
		}},
		Spec: spec,
	}
	another := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-scratch"}}
	for name, tc := range map[string]struct {
		have, want *corev1.PersistentVolumeClaim
		err        string
	}{
		"there is none":      {nil, own, ""},
		"there is one":       {own, nil, ""},
		"there is another's": {another, nil, `PVC default/web-scratch was not created for pod default/web (pod is not owner)`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decide(pod, &v, tc.have)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || text != tc.err {
				t.Errorf("%s (-want +got):\n%s", text, diff)
			}
		})
	}
	leaving := pod.DeepCopy()
	leaving.DeletionTimestamp = &metav1.Time{}
	if !wants(pod) || wants(leaving) || wants(&corev1.Pod{}) {
		t.Error("the wrong Pods want claims")
	}
}
