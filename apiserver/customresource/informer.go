package customresource

import (
	"context"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	listers "k8s.io/apiextensions-apiserver/pkg/client/listers/apiextensions/v1"
	"k8s.io/client-go/tools/cache"
)

// definitions is an informer that never runs. Apply fills it, and calls the handlers.
type definitions struct {
	cache.SharedIndexInformer
	indexer cache.Indexer
	events  cache.ResourceEventHandler
}

func newDefinitions() *definitions {
	return &definitions{indexer: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})}
}

// put adds or replaces a definition. The indexer fails only for objects without
// metadata.
func (d *definitions) put(crd *apiextensionsv1.CustomResourceDefinition) { _ = d.indexer.Update(crd) }

// drop removes a definition.
func (d *definitions) drop(crd *apiextensionsv1.CustomResourceDefinition) { _ = d.indexer.Delete(crd) }

// Informer implements informers.CustomResourceDefinitionInformer.
func (d *definitions) Informer() cache.SharedIndexInformer { return d }

// Lister implements informers.CustomResourceDefinitionInformer.
func (d *definitions) Lister() listers.CustomResourceDefinitionLister {
	return listers.NewCustomResourceDefinitionLister(d.indexer)
}

// AddEventHandler implements cache.SharedInformer: there is one, upstream's handler.
func (d *definitions) AddEventHandler(events cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	d.events = events
	return nil, nil
}

// GetIndexer implements cache.SharedIndexInformer.
func (d *definitions) GetIndexer() cache.Indexer { return d.indexer }

// HasSynced implements cache.SharedInformer: it always has.
func (d *definitions) HasSynced() bool { return true }

// Run implements cache.SharedInformer.
func (d *definitions) Run(<-chan struct{}) {}

// RunWithContext implements cache.SharedInformer.
func (d *definitions) RunWithContext(context.Context) {}
