package environment

import (
	"fmt"
	"strings"

	resourceapi "k8s.io/kubernetes/pkg/api/v1/resource"
	podshelper "k8s.io/kubernetes/pkg/apis/core/pods"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/fieldpath"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// FieldValue is the value of a field of the Pod. Source:
// Kubelet.podFieldSelectorRuntimeValue in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func FieldValue(pod *corev1.Pod, s *podstate.State, ref *corev1.ObjectFieldSelector) (string, error) {
	path, _, err := podshelper.ConvertDownwardAPIFieldLabel(ref.APIVersion, ref.FieldPath, "")
	if err != nil {
		return "", err
	}
	switch path {
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return s.HostIP, nil
	case "status.podIP", "status.podIPs":
		return s.IP, nil
	}
	return fieldpath.ExtractFieldPathAsString(pod, path)
}

// ResourceValue is the value of a request or limit; a limit that is not set is
// what the node has. Source: Kubelet.defaultPodLimitsForDownwardAPI in k8s.io/kubernetes
// pkg/kubelet v1.37.2.
func ResourceValue(view *engine.View, pod *corev1.Pod, container *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		named := findContainer(pod, ref.ContainerName)
		if named == nil {
			return "", fmt.Errorf("container %s not found", ref.ContainerName)
		}
		container = named
	}
	if container == nil {
		return "", fmt.Errorf("container name is required for volume resource %q", ref.Resource)
	}
	if n, ok := engine.Get[*corev1.Node](view, engine.Nodes, "", pod.Spec.NodeName); ok && strings.HasPrefix(ref.Resource, "limits.") {
		container = container.DeepCopy()
		resourceapi.MergeContainerResourceLimits(container, n.Status.Allocatable)
	}
	return resourceapi.ExtractContainerResourceValue(ref, container)
}

func findContainer(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}
