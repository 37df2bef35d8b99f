package profile

import (
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// indexer is a client's store over the View. It is for reading; what else there is of
// cache.Indexer panics. Everything it returns is sorted by namespace and name: the store of
// an informer returns it in the order of a map.
type indexer struct {
	cache.Indexer
	view     *engine.View
	resource engine.Resource
	indexers cache.Indexers
}

// List implements cache.Store.
func (x *indexer) List() []any { return x.list("") }

func (x *indexer) list(namespace string) []any {
	objects := engine.List[engine.Object](x.view, x.resource, namespace)
	out := make([]any, len(objects))
	for i, obj := range objects {
		out[i] = obj
	}
	return out
}

// Get implements cache.Store.
func (x *indexer) Get(obj any) (any, bool, error) {
	key, err := cache.MetaNamespaceKeyFunc(obj)
	if err != nil {
		return nil, false, err
	}
	return x.GetByKey(key)
}

// GetByKey implements cache.Store.
func (x *indexer) GetByKey(key string) (any, bool, error) {
	namespace, name, namespaced := strings.Cut(key, "/")
	if !namespaced {
		namespace, name = "", key
	}
	obj, ok := engine.Get[engine.Object](x.view, x.resource, namespace, name)
	if !ok {
		return nil, false, nil
	}
	return obj, true, nil
}

// Index implements cache.Indexer.
func (x *indexer) Index(name string, obj any) ([]any, error) {
	if name != cache.NamespaceIndex {
		return nil, fmt.Errorf("profile: %s are indexed by namespace only, not by %q", x.resource, name)
	}
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	return x.list(accessor.GetNamespace()), nil
}

// ByIndex implements cache.Indexer. It looks at every object: the plugins ask so for volumes
// and attachments, of which there are few.
func (x *indexer) ByIndex(name, value string) ([]any, error) {
	values, ok := x.indexers[name]
	if !ok {
		return nil, fmt.Errorf("profile: %s have no index %q", x.resource, name)
	}
	var out []any
	for _, obj := range x.list("") {
		of, err := values(obj)
		if err != nil {
			return nil, err
		}
		for _, v := range of {
			if v == value {
				out = append(out, obj)
				break
			}
		}
	}
	return out, nil
}

// GetIndexers implements cache.Indexer.
func (x *indexer) GetIndexers() cache.Indexers { return x.indexers }

// AddIndexers implements cache.Indexer.
func (x *indexer) AddIndexers(more cache.Indexers) error {
	maps.Copy(x.indexers, more)
	return nil
}
