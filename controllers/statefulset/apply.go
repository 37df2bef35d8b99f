package statefulset

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// apply carries p out. It returns the first error, after which the status tells how far it
// has come, and the history is trimmed, as upstream does.
func (r *Reconciler) apply(ctx context.Context, set *appsv1.StatefulSet, p plan) error {
	if err := r.writeRevision(ctx, p.Revision); err != nil {
		return err
	}
	if p.Refusal != nil {
		r.event(ctx, set, corev1.EventTypeWarning, "UnknownStrategy", "%s", p.Refusal)
		trimmed := r.trim(ctx, p.Trim)
		return firstOf(p.Refusal, trimmed)
	}
	outdated, err := r.carryOut(ctx, set, p.Phases)
	p.Status.CurrentReplicas -= outdated
	if err == nil && p.Conditions != nil {
		p.Status.Conditions = p.Conditions
	}
	told := r.writeStatus(ctx, set, p.Status)
	trimmed := r.trim(ctx, p.Trim)
	return firstOf(err, told, trimmed)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) writeRevision(ctx context.Context, rev revision) error {
	switch {
	case rev.Create != nil:
		_, err := r.api.Create(ctx, r.who, engine.ControllerRevisions, rev.Create)
		return err
	case rev.Update != nil:
		_, err := r.api.Update(ctx, r.who, engine.ControllerRevisions, "", rev.Update)
		return err
	}
	return nil
}

// carryOut does the work of phases, up to an error, and returns how many Pods it has
// deleted that were to have another revision.
func (r *Reconciler) carryOut(ctx context.Context, set *appsv1.StatefulSet, phases []phase) (outdated int32, err error) {
	for _, p := range phases {
		one := func(i int) error {
			for _, w := range p.Pods[i] {
				if err := r.do(ctx, set, w); err != nil {
					return err
				}
				if w.verb == outdate {
					outdated++
				}
			}
			return nil
		}
		if p.Together {
			_, err = workload.SlowStart(len(p.Pods), one)
		}
		for i := 0; i < len(p.Pods) && !p.Together && err == nil; i++ {
			err = one(i)
		}
		if err != nil {
			return outdated, err
		}
	}
	return outdated, nil
}

// do does one thing for a Pod and tells what came of it. Source: the methods of
// StatefulPodControl in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (r *Reconciler) do(ctx context.Context, set *appsv1.StatefulSet, w work) error {
	if err := r.createClaims(ctx, set, w); err != nil {
		if w.verb == create || w.verb == modify {
			r.tell(ctx, set, w.verb, w.Pod, err)
		}
		return err
	}
	switch w.verb {
	case create:
		return r.createPod(ctx, set, w)
	case remove, outdate:
		err := r.api.Delete(ctx, r.who, engine.Pods, types.NamespacedName{Namespace: w.Pod.Namespace, Name: w.Pod.Name}, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		r.tell(ctx, set, remove, w.Pod, err)
		return err
	}
	if err := r.changeOwners(ctx, set, w); err != nil {
		if w.verb != disown {
			r.tell(ctx, set, modify, w.Pod, err)
		}
		return err
	}
	if w.verb != modify {
		return nil
	}
	_, err := r.api.Update(ctx, r.who, engine.Pods, "", w.Pod)
	r.tell(ctx, set, modify, w.Pod, err)
	return err
}

// createPod creates a Pod. One that has its name already is not worth telling.
func (r *Reconciler) createPod(ctx context.Context, set *appsv1.StatefulSet, w work) error {
	_, err := r.api.Create(ctx, r.who, engine.Pods, w.Pod)
	if apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := r.changeOwners(ctx, set, w); err != nil {
		r.tell(ctx, set, modify, w.Pod, err)
		return err
	}
	r.tell(ctx, set, create, w.Pod, err)
	return err
}

// createClaims creates the claims of a Pod, whether or not each of them succeeds.
func (r *Reconciler) createClaims(ctx context.Context, set *appsv1.StatefulSet, w work) error {
	errs := slices.Clone(w.Refusals)
	for _, claim := range w.Claims {
		_, err := r.api.Create(ctx, r.who, engine.PersistentVolumeClaims, claim)
		switch {
		case err == nil:
			r.event(ctx, set, corev1.EventTypeNormal, "SuccessfulCreate", "Create Claim %s Pod %s in StatefulSet %s success", claim.Name, w.Pod.Name, set.Name)
			continue
		case !apierrors.IsAlreadyExists(err):
			r.event(ctx, set, corev1.EventTypeWarning, "FailedCreate", "Create Claim %s for Pod %s in StatefulSet %s failed error: %s", claim.Name, w.Pod.Name, set.Name, err)
		}
		errs = append(errs, fmt.Errorf("failed to create PVC %s: %w", claim.Name, err))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return utilerrors.NewAggregate(errs)
}

func (r *Reconciler) changeOwners(ctx context.Context, set *appsv1.StatefulSet, w work) error {
	for _, o := range w.Owners {
		if o.Conflict != "" {
			r.event(ctx, set, corev1.EventTypeWarning, "ConflictingController",
				"PersistentVolumeClaim %s has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim", o.Conflict)
		}
		if o.Changed == nil {
			continue
		}
		if _, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, "", o.Changed); err != nil {
			return fmt.Errorf("could not update claim %s for delete policy ownerRefs: %w", o.Changed.Name, err)
		}
	}
	return nil
}

// writeStatus writes next unless it is what is stored. A StatefulSet that is gone needs no
// more.
func (r *Reconciler) writeStatus(ctx context.Context, set *appsv1.StatefulSet, next appsv1.StatefulSetStatus) error {
	if !differs(set.Status, next) {
		return nil
	}
	changed := *set
	changed.Status = next
	_, err := r.api.Update(ctx, r.who, engine.StatefulSets, "status", &changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *Reconciler) trim(ctx context.Context, old []*appsv1.ControllerRevision) error {
	for _, rev := range old {
		err := r.api.Delete(ctx, r.who, engine.ControllerRevisions, types.NamespacedName{Namespace: rev.Namespace, Name: rev.Name}, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// tell tells what came of a Pod's creation, change or deletion.
func (r *Reconciler) tell(ctx context.Context, set *appsv1.StatefulSet, v verb, pod *corev1.Pod, err error) {
	if err == nil {
		r.event(ctx, set, corev1.EventTypeNormal, "Successful"+string(v), "%s Pod %s in StatefulSet %s successful", v, pod.Name, set.Name)
		return
	}
	r.event(ctx, set, corev1.EventTypeWarning, "Failed"+string(v), "%s Pod %s in StatefulSet %s failed error: %s", v, pod.Name, set.Name, err)
}

func (r *Reconciler) event(ctx context.Context, set *appsv1.StatefulSet, eventType, reason, format string, args ...any) {
	r.recorder.Event(ctx, engine.Reference(set, "apps/v1", "StatefulSet"), eventType, reason, format, args...)
}
