// Package garbagecollector stands in for upstream's pkg/controller/garbagecollector:
// the collector is kubesim's own, and runs in the server from its start.
package garbagecollector

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"
)

// GarbageCollector stands for the one in the server.
type GarbageCollector struct {
	discovery discovery.DiscoveryInterface
	objects   metadata.Interface
}

// DefaultIgnoredResources returns nothing that matters.
func DefaultIgnoredResources() map[schema.GroupResource]struct{} { return nil }

// NewGarbageCollector starts nothing.
func NewGarbageCollector(_ context.Context, client kubernetes.Interface, objects metadata.Interface, _ meta.ResettableRESTMapper,
	_ map[schema.GroupResource]struct{}, _ any, _ <-chan struct{}) (*GarbageCollector, error) {
	return &GarbageCollector{discovery: client.Discovery(), objects: objects}, nil
}

// Run has nothing to do.
func (*GarbageCollector) Run(context.Context, int, time.Duration) {}

// Sync has nothing to do: the server tells its collector of every resource.
func (*GarbageCollector) Sync(context.Context, discovery.ServerResourcesInterface, time.Duration) {}

// IsSynced is always true.
func (*GarbageCollector) IsSynced(klog.Logger) bool { return true }

// GraphHasUID reports whether an object is stored: our collector sees each commit, so that
// it knows what there is, and nothing else. Tests call it until the answer is right.
func (c *GarbageCollector) GraphHasUID(uid types.UID) bool {
	lists, err := c.discovery.ServerPreferredResources()
	if err != nil {
		return false
	}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		for i := range list.APIResources {
			gv, err := schema.ParseGroupVersion(list.GroupVersion)
			if err != nil {
				continue
			}
			found, err := c.objects.Resource(gv.WithResource(list.APIResources[i].Name)).List(context.Background(), metav1.ListOptions{})
			if err == nil && slices.ContainsFunc(found.Items, func(o metav1.PartialObjectMetadata) bool { return o.UID == uid }) {
				return true
			}
		}
	}
	return false
}
