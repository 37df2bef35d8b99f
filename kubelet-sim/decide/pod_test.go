package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// pod builders.
type option func(*corev1.Pod)

func newPod(name string, options ...option) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{
			NodeName: "node-1", RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "busybox:1.36"}},
		},
	}
	for _, o := range options {
		o(pod)
	}
	return pod
}

func policy(r corev1.RestartPolicy) option {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = r }
}
