package customresource

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/registry/rest"

	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
)

// instances are the objects of one definition, in the preferred version. Registries are
// made when somebody needs them.
type instances struct {
	h    *Handler
	name string
	served
}

var _ interface {
	rest.Storage
	rest.Scoper
	rest.ShortNamesProvider
	rest.Lister
	rest.Getter
	rest.CreaterUpdater
	rest.GracefulDeleter
	rest.CollectionDeleter
} = (*instances)(nil)

func (i *instances) registry() (*genericregistry.Store, error) {
	v, err := i.version(i.gvr.Version)
	if err != nil {
		return nil, err
	}
	return v.CustomResource.Store, nil
}

func (i *instances) version(name string) (version, error) {
	v, err := i.h.version(i.name, name)
	if err != nil {
		return v, apierrors.NewInternalError(err)
	}
	return v, nil
}

// In returns the same objects in another version.
func (i *instances) In(version string) rest.Storage {
	other := *i
	other.gvr.Version = version
	return &other
}

// ObjectInterfaces returns what admission must know of the objects, for example how they
// look in other versions. It may ask a conversion webhook, in ctx.
func (i *instances) ObjectInterfaces(ctx context.Context) (admission.ObjectInterfaces, error) {
	v, err := i.version(i.gvr.Version)
	if err != nil {
		return nil, err
	}
	return v.interfaces(ctx)
}

// New implements rest.Storage.
func (i *instances) New() runtime.Object {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(i.gvr.GroupVersion().WithKind(i.kind))
	return u
}

// Destroy implements rest.Storage. The Handler closes the store.
func (i *instances) Destroy() {}

// NamespaceScoped implements rest.Scoper.
func (i *instances) NamespaceScoped() bool { return i.namespaced }

// ShortNames implements rest.ShortNamesProvider.
func (i *instances) ShortNames() []string { return i.shortNames }

// NewList implements rest.Lister.
func (i *instances) NewList() runtime.Object { return &unstructured.UnstructuredList{} }

// List implements rest.Lister.
func (i *instances) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	s, err := i.registry()
	if err != nil {
		return nil, err
	}
	return s.List(ctx, options)
}

// ConvertToTable implements rest.TableConvertor.
func (i *instances) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	s, err := i.registry()
	if err != nil {
		return nil, err
	}
	return s.ConvertToTable(ctx, obj, options)
}

// Get implements rest.Getter.
func (i *instances) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	s, err := i.registry()
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, name, options)
}

// Create implements rest.Creater.
func (i *instances) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	s, err := i.registry()
	if err != nil {
		return nil, err
	}
	return s.Create(ctx, obj, validate, options)
}

// Update implements rest.Updater.
func (i *instances) Update(ctx context.Context, name string, obj rest.UpdatedObjectInfo, validateCreate rest.ValidateObjectFunc,
	validateUpdate rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	s, err := i.registry()
	if err != nil {
		return nil, false, err
	}
	return s.Update(ctx, name, obj, validateCreate, validateUpdate, forceAllowCreate, options)
}

// Delete implements rest.GracefulDeleter.
func (i *instances) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	s, err := i.registry()
	if err != nil {
		return nil, false, err
	}
	return s.Delete(ctx, name, validate, options)
}

// DeleteCollection implements rest.CollectionDeleter.
func (i *instances) DeleteCollection(ctx context.Context, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions,
	list *internalversion.ListOptions) (runtime.Object, error) {
	s, err := i.registry()
	if err != nil {
		return nil, err
	}
	return s.DeleteCollection(ctx, validate, options, list)
}
