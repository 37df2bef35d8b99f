package script

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// controllerIndex files Pods under the UID of their controller.
const controllerIndex = "script/controller"

// Track makes the View hold the PodScripts, and what Earlier needs.
func Track(view *engine.View) {
	view.Track(PodScripts)
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
