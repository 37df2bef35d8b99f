package job

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// The View's indexes of this package.
const (
	// podIndex files Pods under liveKey, countedKey or orphanKey.
	podIndex = "job"
	// selectorIndex files Jobs under the Pods that they could adopt.
	selectorIndex = "job-selector"
)

// liveKey files the Pods that the Job of this name controls, or once did, and
// that can still change its plan. The cost of a step thus depends on the Pods
// that run, not on those that ever ran.
func liveKey(namespace, job string) string { return "live/" + namespace + "/" + job }

// countedKey files the finished Pods that the Job's status already counts.
func countedKey(job types.UID) string { return "counted/" + string(job) }

// orphanKey files the Pods without a controller by the label that a generated
// selector asks for; manual selectors look through all of a namespace.
func orphanKey(namespace, uidLabel string) string { return "orphan/" + namespace + "/" + uidLabel }

func podIndexValues(obj engine.Object) []string {
	pod := obj.(*corev1.Pod)
	ref := metav1.GetControllerOfNoCopy(pod)
	if ref == nil {
		all := orphanKey(pod.Namespace, "")
		if uid := pod.Labels[batchv1.ControllerUidLabel]; uid != "" {
			return []string{all, orphanKey(pod.Namespace, uid)}
		}
		return []string{all}
	}
	if !isJob(ref) {
		return nil
	}
	counted := podutil.IsPodTerminal(pod) && !hasFinalizer(pod) && pod.Labels[batchv1.ControllerUidLabel] == string(ref.UID)
	if counted {
		return []string{countedKey(ref.UID)}
	}
	return []string{liveKey(pod.Namespace, ref.Name)}
}

func selectorIndexValues(obj engine.Object) []string {
	job := obj.(*batchv1.Job)
	return []string{orphanKey(job.Namespace, selectedUID(job))}
}

// selectedUID returns the value of the controller-uid label that the Job's
// selector asks for, which is empty for most manual selectors.
func selectedUID(job *batchv1.Job) string {
	if job.Spec.Selector == nil {
		return ""
	}
	return job.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel]
}
