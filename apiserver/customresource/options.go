package customresource

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
)

// Store describes the store of the objects of one definition.
type Store struct {
	schema.GroupResource
	// Codec decodes objects as they are.
	Codec runtime.Codec
	// NewFunc and NewListFunc return empty objects.
	NewFunc, NewListFunc func() runtime.Object
}

// store is an open Store.
type store struct {
	storage.Interface
	destroy factory.DestroyFunc
}

// close ends what the store has open; it holds its objects on.
func (s *store) close() { s.destroy() }

// open opens the store of a resource.
func (h *Handler) open(gr schema.GroupResource) (*store, error) {
	inner, destroy, err := h.cfg.Open(Store{
		GroupResource: gr, Codec: unstructured.UnstructuredJSONScheme,
		NewFunc: func() runtime.Object { return &unstructured.Unstructured{} },
		// Lists are not stored: what they say of themselves is that of the adapter's.
		NewListFunc: func() runtime.Object { return &unstructured.UnstructuredList{} },
	})
	if err != nil {
		return nil, err
	}
	return &store{inner, destroy}, nil
}

// options opens what the registries of the builder ask for. The caller holds the
// Handler's lock.
type options struct{ h *Handler }

// GetRESTOptions implements generic.RESTOptionsGetter. Upstream's handler replaces the
// codec by that of a version.
func (o options) GetRESTOptions(gr schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	return generic.RESTOptions{
		StorageConfig:           storagebackend.NewDefaultConfig("", unstructured.UnstructuredJSONScheme).ForResource(gr),
		ResourcePrefix:          gr.Group + "/" + gr.Resource,
		EnableGarbageCollection: true,
		DeleteCollectionWorkers: 1, // more would finish in no fixed order
		Decorator:               o.decorate,
	}, nil
}

func (o options) decorate(config *storagebackend.ConfigForResource, _ string, _ func(runtime.Object) (string, error),
	newFunc, newListFunc func() runtime.Object, _ storage.AttrFunc, _ storage.IndexerFuncs, _ *cache.Indexers) (storage.Interface, factory.DestroyFunc, error) {
	d := o.h.known[config.GroupResource.String()]
	if d == nil || d.store == nil {
		return nil, nil, fmt.Errorf("customresource: %s has no store", config.GroupResource)
	}
	a := newAdapter(d.store.Interface, config.Codec, asks(d.crd), newFunc, newListFunc)
	return o.h.cfg.Wrap(a), a.close, nil
}
