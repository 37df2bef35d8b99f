package deployment

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/deployment/util"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// apply makes the writes of p, up to the first that fails.
func (r *Reconciler) apply(ctx context.Context, d *appsv1.Deployment, p plan, now time.Time) error {
	versions := map[types.UID]string{}
	for _, w := range p.Writes {
		if err := r.write(ctx, w, versions); err != nil {
			if w.Create != nil && !apierrors.IsAlreadyExists(err) {
				r.refused(ctx, d, w.Create, err, now)
			}
			return err
		}
		if w.Event != nil {
			r.tell(ctx, d, *w.Event)
		}
	}
	return nil
}

// write makes one write. versions are those of ReplicaSets that were written before.
func (r *Reconciler) write(ctx context.Context, w write, versions map[types.UID]string) error {
	switch {
	case w.Create != nil:
		_, err := r.api.Create(ctx, r.who, engine.ReplicaSets, w.Create)
		return err
	case w.Scale != nil:
		next := *w.Scale
		if next.ResourceVersion == "" {
			next.ResourceVersion = versions[next.UID]
		}
		stored, err := r.api.Update(ctx, r.who, engine.ReplicaSets, "", &next)
		if err == nil {
			versions[next.UID] = stored.GetResourceVersion()
		}
		return err
	case w.Delete != nil:
		err := r.api.Delete(ctx, r.who, engine.ReplicaSets, types.NamespacedName{Namespace: w.Delete.Namespace, Name: w.Delete.Name}, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	case w.Status != nil:
		return r.writeDeployment(ctx, "status", w.Status)
	case w.Spec != nil:
		return r.writeDeployment(ctx, "", w.Spec)
	}
	return nil
}

// writeDeployment writes a Deployment. One that is gone needs no more.
func (r *Reconciler) writeDeployment(ctx context.Context, subresource string, d *appsv1.Deployment) error {
	_, err := r.api.Update(ctx, r.who, engine.Deployments, subresource, d)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// refused tells that a new ReplicaSet could not be created. That the namespace is being
// deleted is not worth telling. Source: the end of getNewReplicaSet in k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func (r *Reconciler) refused(ctx context.Context, d *appsv1.Deployment, rs *appsv1.ReplicaSet, cause error, now time.Time) {
	if workload.NamespaceEnds(cause) {
		return
	}
	message := fmt.Sprintf("Failed to create new replica set %q: %v", rs.Name, cause)
	if util.HasProgressDeadline(d) {
		s := step{d: d.DeepCopy(), now: now}
		s.setProgressing(&s.d.Status, corev1.ConditionFalse, util.FailedRSCreateReason, message)
		if !equality.Semantic.DeepEqual(d.Status, s.d.Status) {
			// Upstream ignores an error here, too: the cause is the larger problem.
			_ = r.writeDeployment(ctx, "status", s.d)
		}
	}
	r.tell(ctx, d, *warning(util.FailedRSCreateReason, "%s", message))
}

func (r *Reconciler) tell(ctx context.Context, d *appsv1.Deployment, e event) {
	r.recorder.Event(ctx, engine.Reference(d, "apps/v1", "Deployment"), e.Type, e.Reason, "%s", e.Message)
}
