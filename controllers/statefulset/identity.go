package statefulset

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// parentAndOrdinal returns the name of a Pod's StatefulSet and its place there, both from
// its name; "" and -1 if it has not such a name. Source: getParentNameAndOrdinal in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func parentAndOrdinal(pod string) (string, int) {
	i := strings.LastIndexByte(pod, '-')
	if i < 0 || i == len(pod)-1 || strings.Trim(pod[i+1:], "0123456789") != "" {
		return "", -1
	}
	n, err := strconv.ParseInt(pod[i+1:], 10, 32)
	if err != nil {
		return pod[:i], -1
	}
	return pod[:i], int(n)
}

func ordinalOf(pod *corev1.Pod) int {
	_, ordinal := parentAndOrdinal(pod.Name)
	return ordinal
}

// isMember reports whether a Pod is named as one of set's.
func isMember(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	parent, _ := parentAndOrdinal(pod.Name)
	return parent == set.Name
}

// start is the first ordinal of set.
func start(set *appsv1.StatefulSet) int {
	if set.Spec.Ordinals != nil {
		return int(set.Spec.Ordinals.Start)
	}
	return 0
}

// inRange reports whether set asks for a Pod with this ordinal.
func inRange(set *appsv1.StatefulSet, ordinal int) bool {
	return ordinal >= start(set) && ordinal < start(set)+replicasOf(set)
}

// replicasOf is how many Pods set asks for; the API sets a default.
func replicasOf(set *appsv1.StatefulSet) int {
	if set.Spec.Replicas == nil {
		return 1
	}
	return int(*set.Spec.Replicas)
}

func podName(set *appsv1.StatefulSet, ordinal int) string {
	return fmt.Sprintf("%s-%d", set.Name, ordinal)
}

// newPod returns the Pod of an ordinal and a revision. Source: newStatefulSetPod in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func newPod(set *appsv1.StatefulSet, revision string, ordinal int) *corev1.Pod {
	pod := workload.NewPod(set, kind(), &set.Spec.Template, workload.Prefix(set.Name))
	pod.Name = podName(set, ordinal)
	identify(set, pod)
	pod.Labels[appsv1.StatefulSetRevisionLabel] = revision
	pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, set.Spec.ServiceName
	mount(set, pod)
	return pod
}

// identified is identityMatches, k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func identified(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	ordinal := ordinalOf(pod)
	return ordinal >= 0 && pod.Name == podName(set, ordinal) && pod.Labels[appsv1.StatefulSetPodNameLabel] == pod.Name
}

// identify gives a Pod the labels that tell its name and its place, in a map of its own.
func identify(set *appsv1.StatefulSet, pod *corev1.Pod) {
	pod.Namespace = set.Namespace
	if pod.Labels = maps.Clone(pod.Labels); pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinalOf(pod))
}

func revisionOf(pod *corev1.Pod) string { return pod.Labels[appsv1.StatefulSetRevisionLabel] }

// mounted reports whether a Pod has a volume for each of set's claim templates. Source:
// storageMatches in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func mounted(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	ordinal := ordinalOf(pod)
	claims := map[string]string{}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			claims[volume.Name] = volume.PersistentVolumeClaim.ClaimName
		}
	}
	for _, template := range set.Spec.VolumeClaimTemplates {
		if claims[template.Name] != claimName(set, template.Name, ordinal) {
			return false
		}
	}
	return ordinal >= 0
}

// mount gives a Pod a volume for each of set's claim templates, and keeps those of other
// names. Source: updateStorage in k8s.io/kubernetes pkg/controller/statefulset v1.37.2,
// where the order of several templates is random.
func mount(set *appsv1.StatefulSet, pod *corev1.Pod) {
	var volumes []corev1.Volume
	claimed := map[string]bool{}
	for _, template := range set.Spec.VolumeClaimTemplates {
		claimed[template.Name] = true
		volumes = append(volumes, corev1.Volume{Name: template.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(set, template.Name, ordinalOf(pod))},
		}})
	}
	for _, volume := range pod.Spec.Volumes {
		if !claimed[volume.Name] {
			volumes = append(volumes, volume)
		}
	}
	pod.Spec.Volumes = volumes
}
