package registry

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Absent answers for a resource that is not served: it never finds anything.
type Absent[T any] struct {
	// Resource is the plural that errors name.
	Resource string
}

// Get returns a NotFound error.
func (a Absent[T]) Get(_ context.Context, name string, _ metav1.GetOptions) (T, error) {
	var none T
	return none, apierrors.NewNotFound(schema.GroupResource{Resource: a.Resource}, name)
}
