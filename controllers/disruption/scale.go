package disruption

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// scales are those of the controllers in a namespace.
func (r *Reconciler) scales(namespace string) map[types.UID]scale {
	out := map[types.UID]scale{}
	add := func(obj metav1.Object, asked *int32) {
		if asked != nil {
			out[obj.GetUID()] = scale{obj.GetUID(), *asked}
		}
	}
	for _, rc := range engine.List[*corev1.ReplicationController](r.view, engine.ReplicationControllers, namespace) {
		add(rc, rc.Spec.Replicas)
	}
	for _, s := range engine.List[*appsv1.StatefulSet](r.view, engine.StatefulSets, namespace) {
		add(s, s.Spec.Replicas)
	}
	for _, d := range engine.List[*appsv1.Deployment](r.view, engine.Deployments, namespace) {
		add(d, d.Spec.Replicas)
	}
	for _, rs := range engine.List[*appsv1.ReplicaSet](r.view, engine.ReplicaSets, namespace) {
		add(rs, rs.Spec.Replicas)
		// Source: getPodDeployment in k8s.io/kubernetes pkg/controller/disruption v1.37.2.
		if ref := metav1.GetControllerOfNoCopy(rs); ref != nil && ref.Kind == "Deployment" {
			if whole, found := out[ref.UID]; found {
				out[rs.UID] = whole
			}
		}
	}
	return out
}
