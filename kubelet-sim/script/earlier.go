package script

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// controllerIndex files Pods under the UID of their controller.
const controllerIndex = "script/controller"

// Track makes the View hold the PodScripts, and what Earlier and Owners need.
func Track(view *engine.View) {
	view.Track(PodScripts, engine.ReplicaSets, engine.Jobs)
	view.Index(engine.Pods, controllerIndex, func(obj engine.Object) []string {
		if owner := metav1.GetControllerOfNoCopy(obj.(*corev1.Pod)); owner != nil {
			return []string{string(owner.UID)}
		}
		return nil
	})
}

// Earlier counts the Pods that pod replaces: those of the same controller and index
// that have failed.
func Earlier(view *engine.View, pod *corev1.Pod) int {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return 0
	}
	n := 0
	for _, other := range engine.ByIndex[*corev1.Pod](view, engine.Pods, controllerIndex, string(owner.UID)) {
		if other.UID != pod.UID && other.Status.Phase == corev1.PodFailed && Index(other) == Index(pod) {
			n++
		}
	}
	return n
}

// Owners returns pod with its controller and, where that has one, the controller of that: a
// Deployment for a ReplicaSet's Pod, a CronJob for a Job's.
func Owners(view *engine.View, pod *corev1.Pod) Owned {
	owned := Owned{Pod: pod}
	direct := metav1.GetControllerOfNoCopy(pod)
	if direct == nil {
		return owned
	}
	owned.Owners = append(owned.Owners, *direct)
	var between metav1.Object
	switch direct.Kind {
	case "ReplicaSet":
		if rs, ok := engine.Get[*appsv1.ReplicaSet](view, engine.ReplicaSets, pod.Namespace, direct.Name); ok {
			between = rs
		}
	case "Job":
		if job, ok := engine.Get[*batchv1.Job](view, engine.Jobs, pod.Namespace, direct.Name); ok {
			between = job
		}
	}
	if between != nil && between.GetUID() == direct.UID {
		if above := metav1.GetControllerOfNoCopy(between); above != nil {
			owned.Owners = append(owned.Owners, *above)
		}
	}
	return owned
}
