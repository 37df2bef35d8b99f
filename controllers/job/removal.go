package job

import (
	"slices"
	"sort"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/controller"
)

// surplus returns at least atLeast of the active Pods for removal, those first with which
// little is lost, and more if
// an Indexed Job has Pods that it must not have.
func surplus(job *batchv1.Job, active []*corev1.Pod, atLeast int) []*corev1.Pod {
	var remove []*corev1.Pod
	left := active
	if isIndexed(job) {
		remove, left = repeatedIndexes(job, active)
	}
	if len(remove) >= atLeast {
		return remove
	}
	left = slices.Clone(left)
	sort.Stable(controller.ActivePods(left))
	return append(remove, left[:atLeast-len(remove)]...)
}
