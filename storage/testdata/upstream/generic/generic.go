// Package generic stands in for k8s.io/apiserver/pkg/registry/generic in
// upstream's registry tests: its storage is kubesim's.
package generic

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	upstream "k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/storage/testdata/upstream/factory"
)

// These are upstream's.
type (
	RESTOptions       = upstream.RESTOptions
	RESTOptionsGetter = upstream.RESTOptionsGetter
	StorageDecorator  = upstream.StorageDecorator
	StoreOptions      = upstream.StoreOptions
)

// MergeFieldsSets is upstream's.
func MergeFieldsSets(into, from fields.Set) fields.Set { return upstream.MergeFieldsSets(into, from) }

// ObjectMetaFieldsSet is upstream's.
func ObjectMetaFieldsSet(m *metav1.ObjectMeta, namespaced bool) fields.Set {
	return upstream.ObjectMetaFieldsSet(m, namespaced)
}

// UndecoratedStorage is an upstream.StorageDecorator.
func UndecoratedStorage(
	config *storagebackend.ConfigForResource, prefix string, _ func(runtime.Object) (string, error),
	newFunc, newListFunc func() runtime.Object, _ storage.AttrFunc, _ storage.IndexerFuncs, _ *cache.Indexers,
) (storage.Interface, factory.DestroyFunc, error) {
	return NewRawStorage(config, newFunc, newListFunc, prefix)
}

// NewRawStorage returns the store of config's resource.
func NewRawStorage(
	config *storagebackend.ConfigForResource, newFunc, newListFunc func() runtime.Object, prefix string,
) (storage.Interface, factory.DestroyFunc, error) {
	return factory.Create(*config, newFunc, newListFunc, prefix)
}
