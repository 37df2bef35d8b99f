package apiserver

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// caches are the informers' indexers that admission and authorization read. The store's
// commits fill them, in the writer's own goroutine. So upstream's plugins see every
// write as soon as it has a revision. On a real cluster, their informers lag behind by
// some milliseconds.
//
// The map is written only by newCaches.
type caches map[schema.GroupResource]cache.Indexer

// newCaches registers an informer that never runs for each type that upstream's
// plugins, its RBAC authorizer and its Service proxy list.
func newCaches(client kubernetes.Interface) (caches, informers.SharedInformerFactory) {
	factory := informers.NewSharedInformerFactory(client, 0)
	all := caches{}
	for gr, obj := range map[schema.GroupResource]runtime.Object{
		{Resource: "namespaces"}:                                              &corev1.Namespace{},
		{Resource: "serviceaccounts"}:                                         &corev1.ServiceAccount{},
		{Resource: "secrets"}:                                                 &corev1.Secret{},
		{Resource: "pods"}:                                                    &corev1.Pod{},
		{Resource: "nodes"}:                                                   &corev1.Node{},
		{Resource: "limitranges"}:                                             &corev1.LimitRange{},
		{Resource: "resourcequotas"}:                                          &corev1.ResourceQuota{},
		{Resource: "persistentvolumes"}:                                       &corev1.PersistentVolume{},
		{Resource: "persistentvolumeclaims"}:                                  &corev1.PersistentVolumeClaim{},
		{Group: "storage.k8s.io", Resource: "storageclasses"}:                 &storagev1.StorageClass{},
		{Group: "discovery.k8s.io", Resource: "endpointslices"}:               &discoveryv1.EndpointSlice{},
		{Group: "node.k8s.io", Resource: "runtimeclasses"}:                    &nodev1.RuntimeClass{},
		{Group: "scheduling.k8s.io", Resource: "priorityclasses"}:             &schedulingv1.PriorityClass{},
		{Group: "rbac.authorization.k8s.io", Resource: "roles"}:               &rbacv1.Role{},
		{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}:        &rbacv1.RoleBinding{},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}:        &rbacv1.ClusterRole{},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}: &rbacv1.ClusterRoleBinding{},
	} {
		indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		all[gr] = indexer
		factory.InformerFor(obj, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
			return &filledInformer{indexer: indexer}
		})
	}
	return all, factory
}

// observe applies one commit. obj is in its external version.
func (c caches) observe(gr schema.GroupResource, event watch.EventType, obj runtime.Object) {
	indexer, ok := c[gr]
	if !ok {
		return
	}
	// The indexer fails only for objects without metadata, which the store
	// does not hold.
	if event == watch.Deleted {
		_ = indexer.Delete(obj)
		return
	}
	_ = indexer.Update(obj)
}

// filledInformer is an informer whose indexer somebody else fills.
type filledInformer struct {
	cache.SharedIndexInformer
	indexer cache.Indexer
}

// GetIndexer implements cache.SharedIndexInformer.
func (i *filledInformer) GetIndexer() cache.Indexer { return i.indexer }

// GetStore implements cache.SharedInformer.
func (i *filledInformer) GetStore() cache.Store { return i.indexer }

// AddIndexers implements cache.SharedIndexInformer.
func (i *filledInformer) AddIndexers(indexers cache.Indexers) error {
	return i.indexer.AddIndexers(indexers)
}

// HasSynced implements cache.SharedInformer: it always has.
func (i *filledInformer) HasSynced() bool { return true }

// AddEventHandler implements cache.SharedInformer. Handlers are never called:
// the plugins that kubesim uses only keep counters in them.
func (i *filledInformer) AddEventHandler(cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return nil, nil
}

// Run implements cache.SharedInformer.
func (i *filledInformer) Run(<-chan struct{}) {}

// RunWithContext implements cache.SharedInformer.
func (i *filledInformer) RunWithContext(context.Context) {}
