package apiserver

import (
	"context"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// caches are the informers that admission and authorization read. The store's commits
// fill them, in the writer's own goroutine, and call their handlers. So upstream's
// plugins see every write as soon as it has a revision. On a real cluster, their
// informers lag behind by some milliseconds.
//
// The map is written only by newCaches.
type caches map[schema.GroupResource]*filledInformer

// newCaches registers an informer that never runs for each type that upstream's
// plugins, its RBAC authorizer and its Service proxy list.
func newCaches(client kubernetes.Interface) (caches, informers.SharedInformerFactory) {
	factory := informers.NewSharedInformerFactory(client, 0)
	all := caches{}
	for gr, obj := range map[schema.GroupResource]runtime.Object{
		{Resource: "namespaces"}:                                              &corev1.Namespace{},
		{Resource: "services"}:                                                &corev1.Service{},
		mutatingBindings():                                                    &admissionregistrationv1.MutatingAdmissionPolicyBinding{},
		validatingBindings():                                                  &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		registration("mutatingadmissionpolicies"):                             &admissionregistrationv1.MutatingAdmissionPolicy{},
		registration("validatingadmissionpolicies"):                           &admissionregistrationv1.ValidatingAdmissionPolicy{},
		mutatingWebhooks():                                                    &admissionregistrationv1.MutatingWebhookConfiguration{},
		validatingWebhooks():                                                  &admissionregistrationv1.ValidatingWebhookConfiguration{},
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
		{Group: "networking.k8s.io", Resource: "ingressclasses"}:              &networkingv1.IngressClass{},
		{Group: "resource.k8s.io", Resource: "deviceclasses"}:                 &resourcev1.DeviceClass{},
		{Group: "resource.k8s.io", Resource: "resourceclaims"}:                &resourcev1.ResourceClaim{},
		{Group: "scheduling.k8s.io", Resource: "priorityclasses"}:             &schedulingv1.PriorityClass{},
		{Group: "rbac.authorization.k8s.io", Resource: "roles"}:               &rbacv1.Role{},
		{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}:        &rbacv1.RoleBinding{},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}:        &rbacv1.ClusterRole{},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}: &rbacv1.ClusterRoleBinding{},
	} {
		informer := &filledInformer{
			indexer: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}),
		}
		all[gr] = informer
		factory.InformerFor(obj, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return informer })
	}
	return all, factory
}

// observe applies one commit. obj is in its external version.
func (c caches) observe(gr schema.GroupResource, event watch.EventType, obj runtime.Object) {
	if informer, ok := c[gr]; ok {
		informer.observe(event, obj)
	}
}

// filledInformer is an informer whose indexer somebody else fills.
type filledInformer struct {
	cache.SharedIndexInformer
	indexer  cache.Indexer
	handlers []cache.ResourceEventHandler
}

// observe fills the indexer and calls the handlers, in the order in which they were
// added.
func (i *filledInformer) observe(event watch.EventType, obj runtime.Object) {
	var old any
	there := false
	if len(i.handlers) > 0 {
		// The indexer fails only for objects without metadata, which the store does
		// not hold.
		old, there, _ = i.indexer.Get(obj)
	}
	if event == watch.Deleted {
		_ = i.indexer.Delete(obj)
	} else {
		_ = i.indexer.Update(obj)
	}
	for _, handler := range i.handlers {
		switch {
		case event == watch.Deleted:
			if there {
				handler.OnDelete(obj)
			}
		case there:
			handler.OnUpdate(old, obj)
		default:
			handler.OnAdd(obj, false)
		}
	}
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

// AddEventHandler implements cache.SharedInformer. Call it before the first commit: it
// is not told of what is there.
func (i *filledInformer) AddEventHandler(handler cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	i.handlers = append(i.handlers, handler)
	return filled{}, nil
}

// filled is the registration of a handler that knows everything.
type filled struct {
	cache.ResourceEventHandlerRegistration
}

// HasSynced implements cache.ResourceEventHandlerRegistration.
func (filled) HasSynced() bool { return true }

// Run implements cache.SharedInformer.
func (i *filledInformer) Run(<-chan struct{}) {}

// RunWithContext implements cache.SharedInformer.
func (i *filledInformer) RunWithContext(context.Context) {}
