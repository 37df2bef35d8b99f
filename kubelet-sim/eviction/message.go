package eviction

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// ContainerUse is what a container uses of what is short, and what it requests of that.
type ContainerUse struct {
	Name    string
	Used    int64
	Request resource.Quantity
}

// HostLowMessage is the message of an eviction because the host is short of memory: so much
// should be available, so much is. Unit: bytes. Source: evictionMessage in
// k8s.io/kubernetes pkg/kubelet/eviction v1.37.2.
func HostLowMessage(lacks corev1.ResourceName, threshold, available int64, containers []ContainerUse) string {
	message := fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", lacks,
		resource.NewQuantity(threshold, resource.BinarySI), resource.NewQuantity(available, resource.BinarySI))
	for _, c := range containers {
		if usage := resource.NewQuantity(c.Used, resource.BinarySI); usage.Cmp(c.Request) > 0 {
			message += fmt.Sprintf("Container %s was using %s, request is %s, has larger consumption of %s. ",
				c.Name, usage, c.Request.String(), lacks)
		}
	}
	return message
}

// LowMessage is the message of an eviction. The thresholds are the kubelet's own:
// memory.available<100Mi and nodefs.available<10%; half of that is there. Source:
// evictionMessage and nodeLowMessageFmt in k8s.io/kubernetes pkg/kubelet/eviction
// v1.37.2.
func LowMessage(obj *corev1.Node, lacks corev1.ResourceName) string {
	threshold := int64(100 << 20)
	if lacks == corev1.ResourceEphemeralStorage {
		threshold = obj.Status.Capacity.StorageEphemeral().Value() / 10
	}
	return fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", lacks,
		resource.NewQuantity(threshold, resource.BinarySI), resource.NewQuantity(threshold/2, resource.BinarySI))
}
