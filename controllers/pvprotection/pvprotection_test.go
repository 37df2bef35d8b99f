package pvprotection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReleases(t *testing.T) {
	volume := func(deleting bool, phase corev1.PersistentVolumePhase, finalizers ...string) *corev1.PersistentVolume {
		v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Finalizers: finalizers}, Status: corev1.PersistentVolumeStatus{Phase: phase}}
		if deleting {
			v.DeletionTimestamp = &metav1.Time{}
		}
		return v
	}
	for name, tc := range map[string]struct {
		volume *corev1.PersistentVolume
		want   bool
	}{
		"an available one":         {volume(true, corev1.VolumeAvailable, finalizer), true},
		"a released one":           {volume(true, corev1.VolumeReleased, finalizer), true},
		"not a bound one":          {volume(true, corev1.VolumeBound, finalizer), false},
		"not before it is deleted": {volume(false, corev1.VolumeAvailable, finalizer), false},
		"nothing to release":       {volume(true, corev1.VolumeAvailable), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := releases(tc.volume); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
