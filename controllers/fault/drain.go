package fault

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// retryEviction is how long a drain waits before it asks again for what a budget has
// not allowed. Unit: virtual time. Source: evictPod in k8s.io/kubectl pkg/drain v0.37.2.
const retryEviction = 5 * time.Second

// evictAll evicts the Pods of the Nodes that a drain has cordoned, but those of
// DaemonSets and of the kubelets themselves, as kubectl drain does.
func (r *Reconciler) evictAll(ctx context.Context, f *v1alpha1.Fault, now time.Time) (engine.Wake, error) {
	var wake engine.Wake
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		node, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", pod.Spec.NodeName)
		if !ok || node.Annotations[v1alpha1.DrainAnnotation] != f.Name || !evictable(pod) {
			continue
		}
		allowed, err := r.evict(ctx, pod, now)
		if err != nil {
			return engine.Wake{}, err
		}
		if !allowed {
			wake = engine.Poll(now.Add(retryEviction))
		}
	}
	return wake, nil
}

// keysOfDrains are the drains that a change of a budget may let go on.
func (r *Reconciler) keysOfDrains() []engine.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []engine.Key
	for _, name := range slices.Sorted(maps.Keys(r.records)) {
		if rec := r.records[name]; rec.active && rec.spec.Drain != nil {
			keys = append(keys, key(name))
		}
	}
	return keys
}

func evictable(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return pod.DeletionTimestamp == nil && !mirror && (owner == nil || owner.Kind != "DaemonSet")
}

// evict does what the eviction subresource does, and reports whether the Pod's budgets
// allow it. That subresource asks for budgets through a client, and so would not see
// what the engine has just written. Source: EvictionREST.Create in k8s.io/kubernetes
// pkg/registry/core/pod/storage v1.37.2.
//
// Deviation: unhealthyPodEvictionPolicy is not looked at.
func (r *Reconciler) evict(ctx context.Context, pod *corev1.Pod, now time.Time) (allowed bool, err error) {
	if !podutil.IsPodPhaseTerminal(pod.Status.Phase) && pod.Status.Phase != corev1.PodPending {
		budget, allowed := r.budget(pod)
		if !allowed {
			return false, nil
		}
		if budget != nil {
			if _, err := r.api.Update(ctx, r.who, engine.PodDisruptionBudgets, "status", spend(budget, pod, now)); err != nil {
				return false, err
			}
		}
	}
	next := *pod
	next.Status.Conditions = append([]corev1.PodCondition(nil), pod.Status.Conditions...)
	podutil.UpdatePodCondition(&next.Status, &corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: pod.Generation,
		Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting", LastTransitionTime: metav1.NewTime(now),
	})
	if _, err := r.api.Update(ctx, r.who, engine.Pods, "status", &next); err != nil {
		return true, ignoreNotFound(err)
	}
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	return true, ignoreNotFound(r.api.Delete(ctx, r.who, engine.Pods, name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}))
}

// budget returns the one that a Pod's eviction is counted against, nil for none, and
// whether it allows it. Of a Pod with two none is allowed, as upstream.
func (r *Reconciler) budget(pod *corev1.Pod) (*policyv1.PodDisruptionBudget, bool) {
	var found []*policyv1.PodDisruptionBudget
	for _, b := range engine.List[*policyv1.PodDisruptionBudget](r.view, engine.PodDisruptionBudgets, pod.Namespace) {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(pod.Labels)) {
			found = append(found, b)
		}
	}
	switch len(found) {
	case 0:
		return nil, true
	case 1:
		s := &found[0].Status
		return found[0], s.ObservedGeneration >= found[0].Generation && s.DisruptionsAllowed > 0
	}
	return nil, false
}

// spend returns the budget with one disruption less.
func spend(b *policyv1.PodDisruptionBudget, pod *corev1.Pod, now time.Time) *policyv1.PodDisruptionBudget {
	next := *b
	next.Status.DisruptionsAllowed--
	next.Status.DisruptedPods = maps.Clone(b.Status.DisruptedPods)
	if next.Status.DisruptedPods == nil {
		next.Status.DisruptedPods = map[string]metav1.Time{}
	}
	next.Status.DisruptedPods[pod.Name] = metav1.NewTime(now)
	return &next
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
