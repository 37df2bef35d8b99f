package persistentvolume

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/kubernetes/pkg/controller/volume/events"
)

// claimState is a claim and what is there for it.
type claimState struct {
	claim *corev1.PersistentVolumeClaim
	// volumes and classes are all there are, by name.
	volumes []*corev1.PersistentVolume
	classes []*storagev1.StorageClass
	// pods are the names of those that use the claim and have no Node yet.
	pods []string
}

// claimPlan is what a claim needs.
type claimPlan struct {
	// Bind is the volume that it is bound to, nil for none.
	Bind *corev1.PersistentVolume
	// Phase is that of a claim without volume; empty leaves the status alone.
	Phase corev1.PersistentVolumeClaimPhase
	// Class is the default StorageClass, for a claim that has none yet.
	Class string
	// Provisioner is asked to make a volume.
	Provisioner string
	// Event tells about it.
	Event event
}

// event is an Event without its object; an empty Reason stands for none.
type event struct{ Type, Reason, Message string }

func normal(reason, message string) event  { return event{corev1.EventTypeNormal, reason, message} }
func warning(reason, message string) event { return event{corev1.EventTypeWarning, reason, message} }

// decideClaim follows syncClaim, pkg/controller/volume/persistentvolume v1.37.2.
func decideClaim(s claimState) claimPlan {
	switch {
	case bindCompleted(s.claim):
		return decideBound(s)
	case s.claim.Spec.VolumeName != "":
		return decideNamed(s)
	}
	class := s.class()
	delayed := class != nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
	if found := bestMatch(s.claim, s.volumes, delayed); found != nil {
		return claimPlan{Bind: found}
	}
	if !volume.PersistentVolumeClaimHasClass(s.claim) {
		if name := defaultClass(s.classes); name != "" {
			return claimPlan{Class: name}
		}
	}
	switch {
	case delayed && !volume.IsDelayBindingProvisioning(s.claim):
		return claimPlan{Phase: corev1.ClaimPending, Event: waiting(s.pods)}
	case volume.GetPersistentVolumeClaimClass(s.claim) != "":
		return decideProvision(s.claim, class)
	}
	return claimPlan{Phase: corev1.ClaimPending, Event: normal(events.FailedBinding, "no persistent volumes available for this claim and no storage class is set")}
}

// decideNamed is for a claim that asks for a certain volume.
func decideNamed(s claimState) claimPlan {
	v := s.volume()
	if v == nil {
		return claimPlan{Phase: corev1.ClaimPending}
	}
	switch {
	case v.Spec.ClaimRef == nil:
		if why := mismatch(v, s.claim); why != "" {
			return claimPlan{Phase: corev1.ClaimPending, Event: warning(events.VolumeMismatch, fmt.Sprintf("Cannot bind to requested volume %q: %s", v.Name, why))}
		}
		return claimPlan{Bind: v}
	case volume.IsVolumeBoundToClaim(v, s.claim):
		return claimPlan{Bind: v}
	}
	return claimPlan{Phase: corev1.ClaimPending, Event: warning(events.FailedBinding, fmt.Sprintf("volume %q already bound to a different claim.", v.Name))}
}

// decideBound is for a claim that was bound once.
func decideBound(s claimState) claimPlan {
	v := s.volume()
	switch {
	case s.claim.Spec.VolumeName == "":
		return s.lost("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
	case v == nil:
		return s.lost("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
	case v.Spec.ClaimRef == nil || v.Spec.ClaimRef.UID == s.claim.UID:
		return claimPlan{Bind: v}
	}
	return s.lost("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
}

func (s claimState) lost(reason, message string) claimPlan {
	if s.claim.Status.Phase == corev1.ClaimLost {
		return claimPlan{}
	}
	return claimPlan{Phase: corev1.ClaimLost, Event: warning(reason, message)}
}

// waiting is the Event of a claim whose volume is chosen when a Pod uses it.
func waiting(pods []string) event {
	switch len(pods) {
	case 0:
		return normal(events.WaitForFirstConsumer, "waiting for first consumer to be created before binding")
	case 1:
		return normal(events.WaitForPodScheduled, fmt.Sprintf("waiting for pod %s to be scheduled", pods[0]))
	}
	return normal(events.WaitForPodScheduled, fmt.Sprintf("waiting for pods %s to be scheduled", strings.Join(pods, ",")))
}

// decideProvision asks the class's provisioner for a volume, once.
func decideProvision(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) claimPlan {
	if class == nil {
		return claimPlan{Event: warning(events.ProvisioningFailed, fmt.Sprintf("storageclass.storage.k8s.io %q not found", volume.GetPersistentVolumeClaimClass(claim)))}
	}
	name, migrated := driver(class.Provisioner)
	if !migrated && strings.HasPrefix(name, "kubernetes.io/") {
		return claimPlan{Event: warning(events.ProvisioningFailed, "no volume plugin matched name: "+name)}
	}
	if claim.Annotations[volume.AnnStorageProvisioner] == name {
		return claimPlan{}
	}
	return claimPlan{Provisioner: name, Event: normal(events.ExternalProvisioning, fmt.Sprintf("Waiting for a volume to be created either by the external provisioner '%s' "+
		"or manually by the system administrator. If volume creation is delayed, please verify that "+
		"the provisioner is running and correctly registered.", name))}
}

// driver returns the name of the CSI driver that has taken over from a
// provisioner that was part of Kubernetes; other names stay as they are.
// Source: k8s.io/csi-translation-lib plugins v0.37.2.
func driver(provisioner string) (name string, migrated bool) {
	switch provisioner {
	case "kubernetes.io/aws-ebs":
		return "ebs.csi.aws.com", true
	case "kubernetes.io/gce-pd":
		return "pd.csi.storage.gke.io", true
	case "kubernetes.io/azure-disk":
		return "disk.csi.azure.com", true
	case "kubernetes.io/azure-file":
		return "file.csi.azure.com", true
	case "kubernetes.io/cinder":
		return "cinder.csi.openstack.org", true
	case "kubernetes.io/vsphere-volume":
		return "csi.vsphere.vmware.com", true
	case "kubernetes.io/portworx-volume":
		return "pxd.portworx.com", true
	}
	return provisioner, false
}
