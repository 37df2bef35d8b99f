package profile

import (
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// csiManager shows the CSINodes of the View.
type csiManager struct{ view *engine.View }

// CSINodes implements fwk.CSIManager.
func (m csiManager) CSINodes() fwk.CSINodeLister { return m }

// List implements fwk.CSINodeLister.
func (m csiManager) List() ([]*storagev1.CSINode, error) {
	return engine.List[*storagev1.CSINode](m.view, csiNodes, ""), nil
}

// Get implements fwk.CSINodeLister.
func (m csiManager) Get(name string) (*storagev1.CSINode, error) {
	node, ok := engine.Get[*storagev1.CSINode](m.view, csiNodes, "", name)
	if !ok {
		return nil, apierrors.NewNotFound(csiNodes.GroupResource(), name)
	}
	return node, nil
}
