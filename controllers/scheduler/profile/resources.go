package profile

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// EventResource returns the name that upstream's plugins have for a resource, if they want to
// know of its changes. Pods, Nodes and claims have more to them than the name.
func EventResource(r engine.Resource) (fwk.EventResource, bool) {
	switch r {
	case engine.PersistentVolumes:
		return fwk.PersistentVolume, true
	case engine.StorageClasses:
		return fwk.StorageClass, true
	case csiNodes:
		return fwk.CSINode, true
	case csiDrivers:
		return fwk.CSIDriver, true
	case csiStorageCapacities:
		return fwk.CSIStorageCapacity, true
	case volumeAttachments:
		return fwk.VolumeAttachment, true
	}
	return "", false
}
