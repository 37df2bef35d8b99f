package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// imagePods are Pods whose images are changed while they run, wait, crash, start up.
func imagePods() []*corev1.Pod {
	pod := func(name, image, script string, policy corev1.RestartPolicy) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
			Spec: corev1.PodSpec{
				RestartPolicy: policy, TerminationGracePeriodSeconds: ptr.To[int64](8),
				Containers: []corev1.Container{{Name: "c", Image: image, Command: []string{"sh", "-c", script}}},
			},
		}
	}
	stubborn := "trap '' TERM; cat /etc/os-release; while :; do date; sleep 2; done"
	withSidecar := pod("image-sidecar", "alpine:3.20", stubborn, corev1.RestartPolicyAlways)
	withSidecar.Spec.InitContainers = []corev1.Container{{
		Name: "s", Image: "alpine:3.20", Command: []string{"sh", "-c", stubborn}, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "sleep 3; date"}}}},
	}}
	withSidecar.Spec.InitContainers = append(withSidecar.Spec.InitContainers, corev1.Container{Name: "i", Image: "alpine:3.20", Command: []string{"sleep", "1"}})
	return []*corev1.Pod{
		pod("image-running", "alpine:3.20", stubborn, corev1.RestartPolicyNever),
		pod("image-missing", "alpine:404", stubborn, corev1.RestartPolicyAlways),
		pod("image-crash", "alpine:3.20", "date; exit 1", corev1.RestartPolicyAlways),
		withSidecar,
	}
}

func createImagePods(t *testing.T, client *kubernetes.Clientset) {
	t.Helper()
	for _, pod := range imagePods() {
		if _, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, createOptions); err != nil {
			t.Fatal(err)
		}
	}
}

// changeImages gives all containers of the imagePods another image.
func changeImages(t *testing.T, client *kubernetes.Clientset, image string) {
	t.Helper()
	for _, pod := range imagePods() {
		patch := `{"spec": {"containers": [{"name": "c", "image": %[1]q}]}}`
		if len(pod.Spec.InitContainers) > 0 {
			patch = `{"spec": {"containers": [{"name": "c", "image": %[1]q}], "initContainers": [{"name": "s", "image": %[1]q}, {"name": "i", "image": %[1]q}]}}`
		}
		if _, err := client.CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, fmt.Appendf(nil, patch, image), metav1.PatchOptions{FieldManager: "e2e"}); err != nil {
			t.Fatal(err)
		}
	}
}
