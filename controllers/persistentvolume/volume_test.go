package persistentvolume

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestDecideVolume(t *testing.T) {
	const (
		retain, recycle, remove = corev1.PersistentVolumeReclaimRetain, corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimDelete
		released                = corev1.VolumeReleased
	)
	for name, tc := range map[string]struct {
		volume *corev1.PersistentVolume
		claim  *corev1.PersistentVolumeClaim
		want   volumePlan
	}{
		"a new one is available":           {newVolume("v", inPhase(corev1.VolumePending)), nil, volumePlan{Phase: corev1.VolumeAvailable}},
		"one that waits for its claim too": {newVolume("v", claimedBy("c", ""), inPhase(corev1.VolumePending)), newClaim(), volumePlan{Phase: corev1.VolumeAvailable}},
		"one whose claim names it":         {newVolume("v", claimedBy("c", "c-uid")), newClaim(named("v")), volumePlan{Phase: corev1.VolumeBound}},
		"one whose claim binds it next":    {newVolume("v", claimedBy("c", "c-uid")), newClaim(), volumePlan{}},
		"its claim took another":           {newVolume("v", claimedBy("c", "c-uid")), newClaim(named("w")), volumePlan{Unbind: true}},
		"its claim is gone":                {newVolume("v", claimedBy("c", "c-uid"), inPhase(corev1.VolumeBound)), nil, volumePlan{Phase: released}},
		"its claim is another of the name": {newVolume("v", claimedBy("c", "older"), inPhase(corev1.VolumeBound)), newClaim(named("v")), volumePlan{Phase: released}},
		"retained":                         {newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(retain)), nil, volumePlan{}},
		"deleted, where that is allowed":   {newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(remove), at("/tmp/x")), nil, volumePlan{Delete: true}},
		"not deleted elsewhere": {
			newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(remove)), nil,
			volumePlan{
				Phase: corev1.VolumeFailed, Message: "host_path deleter only supports /tmp/.+ but received provided /mnt/data",
				Event: event{"Warning", "VolumeFailedDelete", "host_path deleter only supports /tmp/.+ but received provided /mnt/data"},
			},
		},
		"which is said once": {newVolume("v", claimedBy("c", "c-uid"), inPhase(corev1.VolumeFailed), reclaimed(remove)), nil, volumePlan{}},
		"nobody can delete it": {
			newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(remove), nfs), nil,
			volumePlan{
				Phase: corev1.VolumeFailed, Message: `error getting deleter volume plugin for volume "v": no deletable volume plugin matched`,
				Event: event{"Warning", "VolumeFailedDelete", `error getting deleter volume plugin for volume "v": no deletable volume plugin matched`},
			},
		},
		"its provisioner deletes it": {newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(remove), provisioned), nil, volumePlan{}},
		"recycled": {
			newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(recycle)), nil,
			volumePlan{Unbind: true, Event: event{"Normal", "VolumeRecycled", "Volume recycled"}},
		},
		"not to be recycled": {
			newVolume("v", claimedBy("c", "c-uid"), inPhase(released), reclaimed(recycle), local), nil,
			volumePlan{
				Phase: corev1.VolumeFailed, Message: "No recycler plugin found for the volume!",
				Event: event{"Warning", "VolumeFailedRecycle", "No recycler plugin found for the volume!"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideVolume(tc.volume, tc.claim)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
