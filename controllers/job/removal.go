package job

import (
	"cmp"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// surplus returns at least atLeast of the active Pods for removal, and more if
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
	slices.SortStableFunc(left, compareRemoval)
	return append(remove, left[:atLeast-len(remove)]...)
}

// compareRemoval orders Pods by how little is lost with them: unassigned before
// assigned, pending before running, not ready before ready, young before old.
// Source: ActivePods.Less, k8s.io/kubernetes pkg/controller v1.37.2.
func compareRemoval(a, b *corev1.Pod) int {
	return cmp.Or(
		cmp.Compare(assigned(a), assigned(b)),
		cmp.Compare(phaseOrder(a), phaseOrder(b)),
		cmp.Compare(ready(a), ready(b)),
		compareYoung(readyTime(a), readyTime(b)),
		cmp.Compare(restartsMax(b, false), restartsMax(a, false)),
		cmp.Compare(restartsMax(b, true), restartsMax(a, true)),
		compareYoung(a.CreationTimestamp, b.CreationTimestamp),
	)
}

func assigned(pod *corev1.Pod) int { return min(len(pod.Spec.NodeName), 1) }

func ready(pod *corev1.Pod) int {
	if podutil.IsPodReady(pod) {
		return 1
	}
	return 0
}

func phaseOrder(pod *corev1.Pod) int {
	switch pod.Status.Phase {
	case corev1.PodUnknown:
		return 1
	case corev1.PodRunning:
		return 2
	}
	return 0
}

// readyTime returns since when a ready Pod is, else zero.
func readyTime(pod *corev1.Pod) metav1.Time {
	if c := podutil.GetPodReadyCondition(pod.Status); c != nil && c.Status == corev1.ConditionTrue {
		return c.LastTransitionTime
	}
	return metav1.Time{}
}

// compareYoung puts an unknown time first, then the later one.
func compareYoung(a, b metav1.Time) int {
	switch {
	case a.Equal(&b):
		return 0
	case a.IsZero():
		return -1
	case b.IsZero():
		return 1
	}
	return b.Compare(a.Time)
}

// restartsMax returns the highest restart count among the Pod's containers, or
// among its sidecars.
func restartsMax(pod *corev1.Pod, sidecars bool) int32 {
	var most int32
	if !sidecars {
		for i := range pod.Status.ContainerStatuses {
			most = max(most, pod.Status.ContainerStatuses[i].RestartCount)
		}
		return most
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			continue
		}
		for j := range pod.Status.InitContainerStatuses {
			if s := &pod.Status.InitContainerStatuses[j]; s.Name == c.Name {
				most = max(most, s.RestartCount)
			}
		}
	}
	return most
}
