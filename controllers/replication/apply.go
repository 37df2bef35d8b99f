package replication

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// claimPods returns the Pods of rc that count, by name, after adoptions and
// releases. Source: BaseControllerRefManager.ClaimObject in k8s.io/kubernetes
// pkg/controller v1.37.2.
func (r *Reconciler) claimPods(ctx context.Context, rc *corev1.ReplicationController) ([]*corev1.Pod, error) {
	var own []*corev1.Pod
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, ownedKey(rc.Namespace, rc.Name)) {
		switch ref := metav1.GetControllerOfNoCopy(pod); {
		case ref.UID != rc.UID || !controller.IsPodActive(pod):
		case selects(rc, pod):
			own = append(own, pod)
		case rc.DeletionTimestamp == nil:
			if err := r.release(ctx, rc, pod); err != nil {
				return nil, err
			}
		}
	}
	if rc.DeletionTimestamp != nil {
		return own, nil
	}
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podIndex, orphanKey(rc.Namespace)) {
		if !controller.IsPodActive(pod) || !selects(rc, pod) {
			continue
		}
		adopted, err := r.adopt(ctx, rc, pod)
		if err != nil {
			return nil, err
		}
		own = append(own, adopted...)
	}
	slices.SortFunc(own, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return own, nil
}

// adopt returns the Pod as it is now, or nothing if it is gone. A reference to the
// controller that it has already becomes one that controls.
func (r *Reconciler) adopt(ctx context.Context, rc *corev1.ReplicationController, pod *corev1.Pod) ([]*corev1.Pod, error) {
	pod = pod.DeepCopy()
	if i := slices.IndexFunc(pod.OwnerReferences, func(old metav1.OwnerReference) bool { return old.UID == rc.UID }); i >= 0 {
		pod.OwnerReferences[i] = controllerRef(rc)
	} else {
		pod.OwnerReferences = append(pod.OwnerReferences, controllerRef(rc))
	}
	obj, err := r.api.Update(ctx, r.who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot adopt Pod %s: %w", describe(rc), pod.Name, err)
	}
	return []*corev1.Pod{obj.(*corev1.Pod)}, nil
}

func (r *Reconciler) release(ctx context.Context, rc *corev1.ReplicationController, pod *corev1.Pod) error {
	pod = pod.DeepCopy()
	pod.OwnerReferences = slices.DeleteFunc(pod.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == rc.UID })
	_, err := r.api.Update(ctx, r.who, engine.Pods, "", pod)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
}

func controllerRef(rc *corev1.ReplicationController) metav1.OwnerReference {
	return *metav1.NewControllerRef(rc, corev1.SchemeGroupVersion.WithKind("ReplicationController"))
}

// apply carries p out, and returns the first error that kept it from that: the
// status is to tell it.
func (r *Reconciler) apply(ctx context.Context, rc *corev1.ReplicationController, p plan) error {
	if p.Create > 0 {
		return r.createPods(ctx, rc, p.Create)
	}
	var first error
	for _, pod := range p.Delete {
		if err := r.deletePod(ctx, rc, pod); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// createPods creates n Pods, in batches that double in size. After a batch with a
// failure it leaves the rest alone, so that a quota that is used up does not
// cause hundreds of failures.
func (r *Reconciler) createPods(ctx context.Context, rc *corev1.ReplicationController, n int) error {
	var failed error
	for batch := 1; n > 0 && failed == nil; batch *= 2 {
		for range min(batch, n) {
			if err := r.createPod(ctx, rc); err != nil && failed == nil {
				failed = err
			}
		}
		n -= min(batch, n)
	}
	return failed
}

// createPod creates one Pod and records what came of it. A namespace that is
// being deleted is neither an error nor worth telling.
func (r *Reconciler) createPod(ctx context.Context, rc *corev1.ReplicationController) error {
	obj, err := r.api.Create(ctx, r.who, engine.Pods, newPod(rc))
	switch {
	case err == nil:
		r.event(ctx, rc, corev1.EventTypeNormal, "SuccessfulCreate", "Created pod: %v", obj.GetName())
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	default:
		r.event(ctx, rc, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
	}
	return err
}

// newPod shares parts of rc's template. Source: GetPodFromTemplate in
// k8s.io/kubernetes pkg/controller v1.37.2.
func newPod(rc *corev1.ReplicationController) *corev1.Pod {
	template := templateOf(rc)
	prefix := rc.Name + "-"
	if len(validation.NameIsDNSSubdomain(prefix, true)) > 0 {
		prefix = rc.Name
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rc.Namespace, GenerateName: prefix,
			Labels: template.Labels, Annotations: template.Annotations, Finalizers: template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{controllerRef(rc)},
		},
		Spec: template.Spec,
	}
}

func (r *Reconciler) deletePod(ctx context.Context, rc *corev1.ReplicationController, pod *corev1.Pod) error {
	err := r.api.Delete(ctx, r.who, engine.Pods, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, metav1.DeleteOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		r.event(ctx, rc, corev1.EventTypeWarning, "FailedDelete", "Error deleting: %v", err)
		return err
	}
	r.event(ctx, rc, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted pod: %v", pod.Name)
	return nil
}

// writeStatus writes s unless it is what is stored.
func (r *Reconciler) writeStatus(ctx context.Context, rc *corev1.ReplicationController, s corev1.ReplicationControllerStatus) error {
	if equality.Semantic.DeepEqual(rc.Status, s) {
		return nil
	}
	next := *rc
	next.Status = s
	_, err := r.api.Update(ctx, r.who, engine.ReplicationControllers, "status", &next)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
