package persistentvolume

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/kubernetes/pkg/apis/core/v1/helper"
	"k8s.io/utils/ptr"
)

// volume is the one that the claim names, nil if there is none.
func (s claimState) volume() *corev1.PersistentVolume {
	at := slices.IndexFunc(s.volumes, func(v *corev1.PersistentVolume) bool { return v.Name == s.claim.Spec.VolumeName })
	if at < 0 {
		return nil
	}
	return s.volumes[at]
}

// class is the claim's StorageClass, nil if it names none that exists.
func (s claimState) class() *storagev1.StorageClass {
	name := volume.GetPersistentVolumeClaimClass(s.claim)
	at := slices.IndexFunc(s.classes, func(c *storagev1.StorageClass) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return s.classes[at]
}

// bestMatch returns the smallest volume that satisfies a claim, among those with
// the fewest access modes that it needs; nil if there is none. Of a class whose
// binding is delayed only a volume that names the claim counts. Source:
// persistentVolumeOrderedIndex.findByClaim, pkg/controller/volume/persistentvolume v1.37.2.
func bestMatch(claim *corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume, delayed bool) *corev1.PersistentVolume {
	byModes := map[string][]*corev1.PersistentVolume{}
	for _, v := range volumes {
		if volume.CheckAccessModes(claim, v) {
			modes := helper.GetAccessModesAsString(v.Spec.AccessModes)
			byModes[modes] = append(byModes[modes], v)
		}
	}
	order := slices.SortedFunc(maps.Keys(byModes), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(helper.GetAccessModesFromString(a)), len(helper.GetAccessModesFromString(b))), cmp.Compare(a, b))
	})
	for _, modes := range order {
		// The error is a selector that validation does not let pass.
		found, err := volume.FindMatchingVolume(claim, byModes[modes], nil, nil, delayed, true)
		if err == nil && found != nil {
			return found
		}
	}
	return nil
}

// mismatch says why a volume does not satisfy a claim that names it, empty if it
// does. Source: checkVolumeSatisfyClaim, k8s.io/kubernetes
// pkg/controller/volume/persistentvolume v1.37.2.
func mismatch(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) string {
	wants, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], v.Spec.Capacity[corev1.ResourceStorage]
	switch {
	case v.DeletionTimestamp != nil:
		return "the volume is marked for deletion \"" + v.Name + "\""
	case has.Value() < wants.Value():
		return "requested PV is too small"
	case volume.GetPersistentVolumeClass(v) != volume.GetPersistentVolumeClaimClass(claim):
		return "storageClassName does not match"
	case ptr.Deref(claim.Spec.VolumeAttributesClassName, "") != ptr.Deref(v.Spec.VolumeAttributesClassName, ""):
		return "volumeAttributesClassName does not match"
	case volume.CheckVolumeModeMismatches(&claim.Spec, &v.Spec):
		return "incompatible volumeMode"
	case !volume.CheckAccessModes(claim, v):
		return "incompatible accessMode"
	}
	return ""
}

// Annotations of a default StorageClass. Source: pkg/volume/util v1.37.2, which
// is linked with code that reaches for the host.
const (
	defaultClassAnnotation     = "storageclass.kubernetes.io/is-default-class"
	betaDefaultClassAnnotation = "storageclass.beta.kubernetes.io/is-default-class"
)

// defaultClass is the name of the newest class that is marked as default, empty
// if none is. Source: GetDefaultClass, k8s.io/kubernetes pkg/volume/util v1.37.2.
func defaultClass(classes []*storagev1.StorageClass) string {
	var found *storagev1.StorageClass
	for _, c := range classes { // by name
		if c.Annotations[defaultClassAnnotation] != "true" && c.Annotations[betaDefaultClassAnnotation] != "true" {
			continue
		}
		if found == nil || found.CreationTimestamp.Before(&c.CreationTimestamp) {
			found = c
		}
	}
	if found == nil {
		return ""
	}
	return found.Name
}
