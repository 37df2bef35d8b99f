package customresource

import (
	"context"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/registry/rest"

	crregistry "k8s.io/apiextensions-apiserver/pkg/registry/customresource"
)

// scales are the scales of the objects of one definition, in the first of its versions that
// has them.
type scales struct{ of *instances }

var _ interface {
	rest.Storage
	rest.Getter
	rest.Updater
} = (*scales)(nil)

func (s *scales) registry() (*crregistry.ScaleREST, error) {
	v, err := s.of.version(s.of.scale)
	if err != nil {
		return nil, err
	}
	if v.Scale == nil {
		return nil, apierrors.NewNotFound(s.of.gvr.GroupResource(), "scale")
	}
	return v.Scale, nil
}

// GroupVersionResource returns the resource in the version that has the scales.
func (s *scales) GroupVersionResource() schema.GroupVersionResource {
	return s.of.gvr.GroupResource().WithVersion(s.of.scale)
}

// ObjectInterfaces returns what admission must know of a scale.
func (s *scales) ObjectInterfaces(context.Context) (admission.ObjectInterfaces, error) {
	v, err := s.of.version(s.of.scale)
	return v.scaleScope, err
}

// New implements rest.Storage.
func (s *scales) New() runtime.Object { return &autoscalingv1.Scale{} }

// Destroy implements rest.Storage.
func (s *scales) Destroy() {}

// Get implements rest.Getter.
func (s *scales) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	r, err := s.registry()
	if err != nil {
		return nil, err
	}
	return r.Get(ctx, name, options)
}

// Update implements rest.Updater.
func (s *scales) Update(ctx context.Context, name string, obj rest.UpdatedObjectInfo, validateCreate rest.ValidateObjectFunc,
	validateUpdate rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	r, err := s.registry()
	if err != nil {
		return nil, false, err
	}
	return r.Update(ctx, name, obj, validateCreate, validateUpdate, forceAllowCreate, options)
}
