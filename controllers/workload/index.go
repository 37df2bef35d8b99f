package workload

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Index files the objects of a resource by their controller, so that a controller of one
// kind finds its own, and the orphans.
type Index struct {
	view     *engine.View
	resource engine.Resource
	name     string
}

// NewIndex makes the view hold a resource, and file its objects for controllers of a kind.
// Calls with the same arguments share one.
func NewIndex(view *engine.View, resource engine.Resource, kind schema.GroupVersionKind) Index {
	name := "controlled by " + kind.GroupKind().String()
	view.Index(resource, name, func(obj engine.Object) []string {
		switch ref := metav1.GetControllerOfNoCopy(obj); {
		case ref == nil:
			return []string{orphanKey(obj.GetNamespace())}
		case IsOf(ref, kind):
			return []string{ownedKey(obj.GetNamespace(), ref.Name)}
		}
		return nil
	})
	return Index{view, resource, name}
}

func ownedKey(namespace, name string) string { return "owned/" + namespace + "/" + name }
func orphanKey(namespace string) string      { return "orphan/" + namespace }

// Owned returns the objects that the controller of this name controls, or one before it
// did.
func Owned[T engine.Object](ix Index, namespace, name string) []T {
	return engine.ByIndex[T](ix.view, ix.resource, ix.name, ownedKey(namespace, name))
}

// HasOrphans reports whether there are objects in a namespace that nobody controls.
func (ix Index) HasOrphans(namespace string) bool {
	return ix.view.CountByIndex(ix.resource, ix.name, orphanKey(namespace)) > 0
}

// Orphans returns the objects of a namespace that nobody controls.
func Orphans[T engine.Object](ix Index, namespace string) []T {
	return engine.ByIndex[T](ix.view, ix.resource, ix.name, orphanKey(namespace))
}
