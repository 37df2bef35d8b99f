package persistentvolume

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/component-helpers/storage/volume"
)

func TestDecideClaim(t *testing.T) {
	later := newClass("later", "example.com/disk", storagev1.VolumeBindingWaitForFirstConsumer)
	disk := newClass("disk", "example.com/disk", storagev1.VolumeBindingImmediate)
	standard := newClass("standard", "example.com/disk", storagev1.VolumeBindingImmediate)
	standard.Annotations = map[string]string{defaultClassAnnotation: "true"}
	completed := claimNote(volume.AnnBindCompleted, "yes")
	for name, tc := range map[string]struct {
		state claimState
		want  claimPlan
	}{
		"it gets a volume that fits": {
			claimState{claim: newClaim(), volumes: []*corev1.PersistentVolume{newVolume("v")}},
			claimPlan{Bind: newVolume("v")},
		},
		"the smallest one, of the fewest access modes": {
			claimState{claim: newClaim(), volumes: []*corev1.PersistentVolume{
				newVolume("a", modes(corev1.ReadWriteOnce, corev1.ReadWriteMany)), newVolume("b", size("3Gi")), newVolume("c", size("2Gi")),
			}},
			claimPlan{Bind: newVolume("c", size("2Gi"))},
		},
		"no volume and no class": {
			claimState{claim: newClaim(), volumes: []*corev1.PersistentVolume{newVolume("v", size("1Mi")), newVolume("w", inPhase(corev1.VolumeReleased))}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set"}},
		},
		"one that says nothing of a class gets the default class": {
			claimState{claim: newClaim(classless), classes: []*storagev1.StorageClass{disk, standard}},
			claimPlan{Class: "standard"},
		},
		"but not one that wants none": {
			claimState{claim: newClaim(), classes: []*storagev1.StorageClass{standard}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set"}},
		},
		"a class's provisioner is asked": {
			claimState{claim: newClaim(ofClass("disk")), classes: []*storagev1.StorageClass{disk}},
			claimPlan{Provisioner: "example.com/disk", Event: event{"Normal", "ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."}},
		},
		"once": {
			claimState{claim: newClaim(ofClass("disk"), claimNote(volume.AnnStorageProvisioner, "example.com/disk")), classes: []*storagev1.StorageClass{disk}},
			claimPlan{},
		},
		"a class that does not exist": {
			claimState{claim: newClaim(ofClass("nope"))},
			claimPlan{Event: event{"Warning", "ProvisioningFailed", `storageclass.storage.k8s.io "nope" not found`}},
		},
		"a class without provisioner": {
			claimState{claim: newClaim(ofClass("static")), classes: []*storagev1.StorageClass{newClass("static", volume.NotSupportedProvisioner, storagev1.VolumeBindingImmediate)}},
			claimPlan{Event: event{"Warning", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner"}},
		},
		"a provisioner that is a CSI driver today": {
			claimState{claim: newClaim(ofClass("ebs"), claimNote(volume.AnnStorageProvisioner, "ebs.csi.aws.com")), classes: []*storagev1.StorageClass{newClass("ebs", "kubernetes.io/aws-ebs", storagev1.VolumeBindingImmediate)}},
			claimPlan{},
		},
		"a class that waits for a Pod": {
			claimState{claim: newClaim(ofClass("later")), classes: []*storagev1.StorageClass{later}, volumes: []*corev1.PersistentVolume{newVolume("v", volumeClass("later"))}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"}},
		},
		"and for its Node": {
			claimState{claim: newClaim(ofClass("later")), classes: []*storagev1.StorageClass{later}, pods: []string{"p", "q"}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Normal", "WaitForPodScheduled", "waiting for pods p,q to be scheduled"}},
		},
		"the scheduler has chosen a volume": {
			claimState{claim: newClaim(ofClass("later")), classes: []*storagev1.StorageClass{later}, volumes: []*corev1.PersistentVolume{newVolume("v", volumeClass("later"), claimedBy("c", "c-uid"))}},
			claimPlan{Bind: newVolume("v", volumeClass("later"), claimedBy("c", "c-uid"))},
		},
		"a volume that it names": {
			claimState{claim: newClaim(named("v")), volumes: []*corev1.PersistentVolume{newVolume("v")}},
			claimPlan{Bind: newVolume("v")},
		},
		"which is too small": {
			claimState{claim: newClaim(named("v")), volumes: []*corev1.PersistentVolume{newVolume("v", size("1Mi"))}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Warning", "VolumeMismatch", `Cannot bind to requested volume "v": requested PV is too small`}},
		},
		"which is of another class": {
			claimState{claim: newClaim(named("v")), volumes: []*corev1.PersistentVolume{newVolume("v", volumeClass("manual"))}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Warning", "VolumeMismatch", `Cannot bind to requested volume "v": storageClassName does not match`}},
		},
		"which another claim has": {
			claimState{claim: newClaim(named("v")), volumes: []*corev1.PersistentVolume{newVolume("v", claimedBy("other", "o"))}},
			claimPlan{Phase: corev1.ClaimPending, Event: event{"Warning", "FailedBinding", `volume "v" already bound to a different claim.`}},
		},
		"which is not there yet": {
			claimState{claim: newClaim(named("v"))},
			claimPlan{Phase: corev1.ClaimPending},
		},
		"a bound one whose volume is gone": {
			claimState{claim: newClaim(named("v"), completed)},
			claimPlan{Phase: corev1.ClaimLost, Event: event{"Warning", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"}},
		},
		"is said to be lost once": {
			claimState{claim: newClaim(named("v"), completed, lost)},
			claimPlan{},
		},
		"a bound one whose volume another has": {
			claimState{claim: newClaim(named("v"), completed), volumes: []*corev1.PersistentVolume{newVolume("v", claimedBy("c", "older"))}},
			claimPlan{Phase: corev1.ClaimLost, Event: event{"Warning", "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decideClaim(tc.state)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
