package apiserver

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// policyParams finds the params of admission policies in the registries. Any kind may be
// named, so no cache holds them.
type policyParams struct{ server *Server }

// find is the policy.Params of a server.
func (p policyParams) find(gvk schema.GroupVersionKind) (informers.GenericInformer, meta.RESTScope, error) {
	local := p.server.local
	for _, each := range local.Persisted() {
		if each.Kind.GroupKind() != gvk.GroupKind() ||
			each.Kind.Version != gvk.Version && !slices.Contains(each.Versions, gvk.Version) && !legacyscheme.Scheme.Recognizes(gvk) {
			continue
		}
		r, ok := local.served.find(each.GroupResource)
		if !ok {
			break
		}
		scope := meta.RESTScopeRoot
		if each.Namespaced {
			scope = meta.RESTScopeNamespace
		}
		storage := r.storage[""]
		if custom, ok := storage.(interface {
			In(version string) rest.Storage
		}); ok {
			storage = custom.In(gvk.Version)
		}
		return paramLister{resource: r.resource, storage: storage, kind: gvk}, scope, nil
	}
	return nil, nil, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
}

// paramLister lists the objects of one kind. It is the informer, the lister and the
// lister of one namespace, as upstream's dispatchers want them.
type paramLister struct {
	resource  schema.GroupVersionResource
	storage   rest.Storage
	kind      schema.GroupVersionKind
	namespace string
}

var (
	_ informers.GenericInformer = paramLister{}
	_ cache.GenericLister       = paramLister{}
)

// Informer implements informers.GenericInformer.
func (l paramLister) Informer() cache.SharedIndexInformer { return &filledInformer{} }

// Lister implements informers.GenericInformer.
func (l paramLister) Lister() cache.GenericLister { return l }

// ByNamespace implements cache.GenericLister.
func (l paramLister) ByNamespace(namespace string) cache.GenericNamespaceLister {
	l.namespace = namespace
	return l
}

// Get implements cache.GenericLister.
func (l paramLister) Get(name string) (runtime.Object, error) {
	getter, ok := l.storage.(rest.Getter)
	if !ok {
		return nil, fmt.Errorf("apiserver: %s has no get", l.resource)
	}
	obj, err := getter.Get(l.context(), name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return l.versioned(obj)
}

// List implements cache.GenericLister. The objects are in the order of their names.
func (l paramLister) List(selector labels.Selector) ([]runtime.Object, error) {
	lister, ok := l.storage.(rest.Lister)
	if !ok {
		return nil, fmt.Errorf("apiserver: %s has no list", l.resource)
	}
	list, err := lister.List(l.context(), &internalversion.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	objects, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		if objects[i], err = l.versioned(objects[i]); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// context returns the context of a read. Policies give none.
func (l paramLister) context() context.Context {
	return genericrequest.WithNamespace(context.Background(), l.namespace)
}

// versioned returns obj in the version that a policy asks for, without a kind, as
// informers have it.
func (l paramLister) versioned(obj runtime.Object) (runtime.Object, error) {
	if _, ok := obj.(runtime.Unstructured); ok {
		return obj, nil
	}
	out, err := legacyscheme.Scheme.ConvertToVersion(obj, l.kind.GroupVersion())
	if err != nil {
		return nil, err
	}
	out.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return out, nil
}
