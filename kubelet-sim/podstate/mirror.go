package podstate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"
)

// IsMirror reports whether a Pod of the API shows a static Pod.
func IsMirror(pod *corev1.Pod) bool { return HashOf(pod) != "" }

// HashOf is the UID of the static Pod that a mirror Pod shows, empty for other Pods.
func HashOf(mirror *corev1.Pod) string {
	return mirror.Annotations[kubelettypes.ConfigMirrorAnnotationKey]
}

// UID is the UID by which the kubelet knows a Pod of the API.
func UID(pod *corev1.Pod) types.UID {
	if hash := HashOf(pod); hash != "" {
		return types.UID(hash)
	}
	return pod.UID
}

// StaticOf returns a Pod of the API as the kubelet knows it: for a mirror Pod the
// static one, which has another UID and stays when its mirror Pod is made again.
func StaticOf(pod *corev1.Pod) *corev1.Pod {
	if !IsMirror(pod) || pod.UID == UID(pod) {
		return pod
	}
	static := *pod
	static.UID = UID(pod)
	return &static
}

// seenAt tells static Pods of one manifest that was there more than once apart;
// empty for other Pods.
func seenAt(pod *corev1.Pod) string {
	if !IsMirror(pod) {
		return ""
	}
	return pod.Annotations[kubelettypes.ConfigFirstSeenAnnotationKey]
}

// Leaves reports whether a Pod has to go: a static one when its manifest does,
// whatever becomes of its mirror Pod.
func Leaves(pod *corev1.Pod, s *State) bool {
	return s.Retired || pod.DeletionTimestamp != nil && !IsMirror(pod)
}
