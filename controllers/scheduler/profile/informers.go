package profile

import (
	"k8s.io/client-go/informers"
	"k8s.io/client-go/informers/apps"
	appsv1 "k8s.io/client-go/informers/apps/v1"
	"k8s.io/client-go/informers/core"
	corev1 "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/policy"
	policyv1 "k8s.io/client-go/informers/policy/v1"
	"k8s.io/client-go/informers/storage"
	storagev1 "k8s.io/client-go/informers/storage/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	policylisters "k8s.io/client-go/listers/policy/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// The resources that only the plugins name.
const (
	statefulSets         engine.Resource = "statefulsets.apps"
	csiNodes             engine.Resource = "csinodes.storage.k8s.io"
	csiDrivers           engine.Resource = "csidrivers.storage.k8s.io"
	csiStorageCapacities engine.Resource = "csistoragecapacities.storage.k8s.io"
	volumeAttachments    engine.Resource = "volumeattachments.storage.k8s.io"
)

// Resources are what the View must hold for the plugins.
func Resources() []engine.Resource {
	return []engine.Resource{
		engine.Pods, engine.Nodes, engine.Namespaces, engine.Services, engine.ReplicationControllers, engine.ReplicaSets, statefulSets,
		engine.PodDisruptionBudgets, engine.PersistentVolumes, engine.PersistentVolumeClaims, engine.StorageClasses,
		csiNodes, csiDrivers, csiStorageCapacities, volumeAttachments,
	}
}

// informerFactory hands out listers over the View. It has what the plugins of the default
// profile ask for; anything else panics.
type informerFactory struct {
	informers.SharedInformerFactory
	view *engine.View
}

type (
	coreGroup struct {
		core.Interface
		view *engine.View
	}
	coreV1 struct {
		corev1.Interface
		view *engine.View
	}
	appsGroup struct {
		apps.Interface
		view *engine.View
	}
	appsV1 struct {
		appsv1.Interface
		view *engine.View
	}
	policyGroup struct {
		policy.Interface
		view *engine.View
	}
	policyV1 struct {
		policyv1.Interface
		view *engine.View
	}
	storageGroup struct {
		storage.Interface
		view *engine.View
	}
	storageV1 struct {
		storagev1.Interface
		view *engine.View
	}
)

func (f informerFactory) Core() core.Interface       { return coreGroup{view: f.view} }
func (f informerFactory) Apps() apps.Interface       { return appsGroup{view: f.view} }
func (f informerFactory) Policy() policy.Interface   { return policyGroup{view: f.view} }
func (f informerFactory) Storage() storage.Interface { return storageGroup{view: f.view} }

func (g coreGroup) V1() corev1.Interface       { return coreV1{view: g.view} }
func (g appsGroup) V1() appsv1.Interface       { return appsV1{view: g.view} }
func (g policyGroup) V1() policyv1.Interface   { return policyV1{view: g.view} }
func (g storageGroup) V1() storagev1.Interface { return storageV1{view: g.view} }

// informer is an informer of one resource over the View. I is the interface of its
// type-safe variant, which no plugin asks for.
type informer[I, L any] struct {
	store  *indexer
	lister func(cache.Indexer) L
}

func over[I, L any](view *engine.View, r engine.Resource, lister func(cache.Indexer) L) informer[I, L] {
	return informer[I, L]{&indexer{view: view, resource: r, indexers: cache.Indexers{}}, lister}
}

// Informer returns the informer itself.
func (i informer[I, L]) Informer() cache.SharedIndexInformer { return shared{store: i.store} }

// TypedInformer is there for the compiler.
func (i informer[I, L]) TypedInformer() (none I) { return none }

// Lister returns what reads the View.
func (i informer[I, L]) Lister() L { return i.lister(i.store) }

// shared never tells of a change: nothing changes while a Pod is placed, and the plugins
// keep nothing from one Pod to the next.
type shared struct {
	cache.SharedIndexInformer
	store *indexer
}

func (s shared) GetIndexer() cache.Indexer                 { return s.store }
func (s shared) AddIndexers(indexers cache.Indexers) error { return s.store.AddIndexers(indexers) }
func (s shared) AddEventHandler(cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return nil, nil
}

func (v coreV1) Pods() corev1.TypedPodInformer {
	return over[corev1.PodIndexInformer](v.view, engine.Pods, corelisters.NewPodLister)
}

func (v coreV1) Nodes() corev1.TypedNodeInformer {
	return over[corev1.NodeIndexInformer](v.view, engine.Nodes, corelisters.NewNodeLister)
}

func (v coreV1) Namespaces() corev1.TypedNamespaceInformer {
	return over[corev1.NamespaceIndexInformer](v.view, engine.Namespaces, corelisters.NewNamespaceLister)
}

func (v coreV1) Services() corev1.TypedServiceInformer {
	return over[corev1.ServiceIndexInformer](v.view, engine.Services, corelisters.NewServiceLister)
}

func (v coreV1) ReplicationControllers() corev1.TypedReplicationControllerInformer {
	return over[corev1.ReplicationControllerIndexInformer](v.view, engine.ReplicationControllers, corelisters.NewReplicationControllerLister)
}

func (v coreV1) PersistentVolumes() corev1.TypedPersistentVolumeInformer {
	return over[corev1.PersistentVolumeIndexInformer](v.view, engine.PersistentVolumes, corelisters.NewPersistentVolumeLister)
}

func (v coreV1) PersistentVolumeClaims() corev1.TypedPersistentVolumeClaimInformer {
	return over[corev1.PersistentVolumeClaimIndexInformer](v.view, engine.PersistentVolumeClaims, corelisters.NewPersistentVolumeClaimLister)
}

func (v appsV1) ReplicaSets() appsv1.TypedReplicaSetInformer {
	return over[appsv1.ReplicaSetIndexInformer](v.view, engine.ReplicaSets, appslisters.NewReplicaSetLister)
}

func (v appsV1) StatefulSets() appsv1.TypedStatefulSetInformer {
	return over[appsv1.StatefulSetIndexInformer](v.view, statefulSets, appslisters.NewStatefulSetLister)
}

func (v policyV1) PodDisruptionBudgets() policyv1.TypedPodDisruptionBudgetInformer {
	return over[policyv1.PodDisruptionBudgetIndexInformer](v.view, engine.PodDisruptionBudgets, policylisters.NewPodDisruptionBudgetLister)
}

func (v storageV1) StorageClasses() storagev1.TypedStorageClassInformer {
	return over[storagev1.StorageClassIndexInformer](v.view, engine.StorageClasses, storagelisters.NewStorageClassLister)
}

func (v storageV1) CSINodes() storagev1.TypedCSINodeInformer {
	return over[storagev1.CSINodeIndexInformer](v.view, csiNodes, storagelisters.NewCSINodeLister)
}

func (v storageV1) CSIDrivers() storagev1.TypedCSIDriverInformer {
	return over[storagev1.CSIDriverIndexInformer](v.view, csiDrivers, storagelisters.NewCSIDriverLister)
}

func (v storageV1) CSIStorageCapacities() storagev1.TypedCSIStorageCapacityInformer {
	return over[storagev1.CSIStorageCapacityIndexInformer](v.view, csiStorageCapacities, storagelisters.NewCSIStorageCapacityLister)
}

func (v storageV1) VolumeAttachments() storagev1.TypedVolumeAttachmentInformer {
	return over[storagev1.VolumeAttachmentIndexInformer](v.view, volumeAttachments, storagelisters.NewVolumeAttachmentLister)
}
