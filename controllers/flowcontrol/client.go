package flowcontrol

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// objects are what upstream's ensurer reads and writes: here it reads the View and writes
// to the engine's API. What else it asks of a kind, such as whether two specs are equal,
// is upstream's.
type objects[T object] struct {
	ensurer.ObjectOps[T]
	host     engine.Host
	who      engine.Identity
	resource engine.Resource
}

// Get implements ensurer.ObjectOps.
func (o objects[T]) Get(name string) (T, error) {
	obj, ok := engine.Get[T](o.host.View, o.resource, "", name)
	if !ok {
		return obj, apierrors.NewNotFound(o.resource.GroupResource(), name)
	}
	return obj, nil
}

// List implements ensurer.ObjectOps.
func (o objects[T]) List(selector labels.Selector) ([]T, error) {
	var out []T
	for _, obj := range engine.List[T](o.host.View, o.resource, "") {
		if selector.Matches(labels.Set(obj.GetLabels())) {
			out = append(out, obj)
		}
	}
	return out, nil
}

// Create implements ensurer.ObjectOps.
func (o objects[T]) Create(ctx context.Context, obj T, _ metav1.CreateOptions) (T, error) {
	_, err := o.host.API.Create(ctx, o.who, o.resource, obj)
	return obj, err
}

// Update implements ensurer.ObjectOps.
func (o objects[T]) Update(ctx context.Context, obj T, _ metav1.UpdateOptions) (T, error) {
	_, err := o.host.API.Update(ctx, o.who, o.resource, "", obj)
	return obj, err
}

// Delete implements ensurer.ObjectOps.
func (o objects[T]) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return o.host.API.Delete(ctx, o.who, o.resource, types.NamespacedName{Name: name}, options)
}
