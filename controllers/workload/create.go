package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SlowStart calls create with 0, 1, … n-1, in batches that double in size, and leaves the
// rest alone after a batch with a failure: a quota that is used up must not cause hundreds
// of them. It returns how many calls succeeded and the first error. Source: slowStartBatch
// in k8s.io/kubernetes pkg/controller/replicaset v1.37.2.
func SlowStart(n int, create func(i int) error) (created int, first error) {
	i := 0
	for batch := 1; i < n && first == nil; batch *= 2 {
		for end := min(i+batch, n); i < end; i++ {
			switch err := create(i); {
			case err == nil:
				created++
			case first == nil:
				first = err
			}
		}
	}
	return created, first
}

// NewPod returns a Pod of a controller, named after prefix. It shares parts of template.
// Source: GetPodFromTemplate in k8s.io/kubernetes pkg/controller v1.37.2, which copies
// them all.
func NewPod(owner metav1.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec, prefix string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.GetNamespace(), GenerateName: prefix,
			Labels: template.Labels, Annotations: template.Annotations, Finalizers: template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)},
		},
		Spec: template.Spec,
	}
}

// Prefix is what the names of a controller's Pods begin with. Source: getPodsPrefix in
// k8s.io/kubernetes pkg/controller v1.37.2.
func Prefix(controller string) string {
	if prefix := controller + "-"; len(validation.NameIsDNSSubdomain(prefix, true)) == 0 {
		return prefix
	}
	return controller
}
