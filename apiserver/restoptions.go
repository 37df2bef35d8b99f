package apiserver

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// restOptions is the seam between upstream's registries and kubesim's store. Whatever
// resource a registry asks for, its Decorator opens it in our store. No other part of a
// registry knows which store it uses.
type restOptions struct {
	open    func(StorageConfig) (storage.Interface, factory.DestroyFunc, error)
	stamper registry.Stamper
}

var _ generic.RESTOptionsGetter = (*restOptions)(nil)

// sharedPrefix maps a resource that is stored among another group's keys.
func sharedPrefix(gr schema.GroupResource) string {
	if gr.Group == "events.k8s.io" && gr.Resource == "events" {
		return "events"
	}
	if gr.Group == "" {
		return gr.Resource
	}
	return gr.Group + "/" + gr.Resource
}

// GetRESTOptions implements generic.RESTOptionsGetter.
func (o *restOptions) GetRESTOptions(gr schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	codec, versioner, err := storageCodec(gr)
	if err != nil {
		return generic.RESTOptions{}, err
	}
	if gr.Group == "events.k8s.io" {
		gr.Group = ""
	}
	config := storagebackend.NewDefaultConfig("", codec)
	config.EncodeVersioner = versioner
	return generic.RESTOptions{
		StorageConfig:             config.ForResource(gr),
		ResourcePrefix:            sharedPrefix(gr),
		EnableGarbageCollection:   true,
		DeleteCollectionWorkers:   1, // more would finish in no fixed order
		Decorator:                 o.decorate,
		StorageObjectCountTracker: nil,
	}, nil
}

func (o *restOptions) decorate(config *storagebackend.ConfigForResource, prefix string,
	keyFunc func(obj runtime.Object) (string, error), newFunc, newListFunc func() runtime.Object,
	attrFunc storage.AttrFunc, triggers storage.IndexerFuncs, indexers *cache.Indexers) (storage.Interface, factory.DestroyFunc, error) {
	inner, destroy, err := o.open(StorageConfig{
		GroupResource: config.GroupResource, Prefix: prefix, Codec: config.Codec,
		Protobuf: storedMediaType(config.GroupResource.Group) == runtime.ContentTypeProtobuf,
		NewFunc:  newFunc, NewListFunc: newListFunc,
		KeyFunc: keyFunc, AttrFunc: attrFunc, Triggers: triggers, Indexers: indexers,
	})
	if err != nil {
		return nil, nil, err
	}
	return o.stamper.Storage(onStage{inner}), destroy, nil
}
