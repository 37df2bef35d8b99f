package workload

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Concerned returns the names of the controllers of a kind to which the change of an
// object, mostly a Pod, matters: the one that controlled it, the one that does, and those
// that could adopt it. Source: updatePod in k8s.io/kubernetes pkg/controller/replicaset
// v1.37.2.
func Concerned(c engine.Commit, kind schema.GroupVersionKind, adopters func() []string) []string {
	var names []string
	var before *metav1.OwnerReference
	if c.Old != nil {
		before = metav1.GetControllerOfNoCopy(c.Old)
	}
	ref := metav1.GetControllerOfNoCopy(c.Object)
	if before != nil && IsOf(before, kind) && (ref == nil || ref.UID != before.UID) {
		names = append(names, before.Name)
	}
	switch {
	case ref != nil && IsOf(ref, kind):
		names = append(names, ref.Name)
	case ref == nil && c.Type != watch.Deleted && (c.Old == nil || before != nil || !maps.Equal(c.Old.GetLabels(), c.Object.GetLabels())):
		names = append(names, adopters()...)
	}
	return names
}
