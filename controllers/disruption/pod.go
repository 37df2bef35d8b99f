package disruption

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// staleAfter is how long a Pod may have the condition DisruptionTarget without
// being deleted. Unit: virtual time. Source: stalePodDisruptionTimeout in
// k8s.io/kubernetes pkg/controller/disruption v1.37.2.
const staleAfter = 2 * time.Minute

// podPlan is what to do about one Pod.
type podPlan struct {
	Events []event
	// Reset: nobody has deleted the Pod, so it is no longer a target.
	Reset  bool
	WakeAt time.Time
}

// decidePod reads nothing but its arguments.
func decidePod(pod *corev1.Pod, budgets []*policyv1.PodDisruptionBudget, now time.Time) podPlan {
	var p podPlan
	if len(budgets) > 1 {
		p.Events = []event{{Type: corev1.EventTypeWarning, Reason: "MultiplePodDisruptionBudgets",
			Message: fmt.Sprintf("Pod %q/%q matches multiple PodDisruptionBudgets.  Chose %q arbitrarily.", pod.Namespace, pod.Name, budgets[0].Name)}}
	}
	if !targeted(pod) {
		return p
	}
	_, c := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget)
	if stale := c.LastTransitionTime.Add(staleAfter); now.Before(stale) {
		p.WakeAt = stale
	} else {
		p.Reset = true
	}
	return p
}

// targeted is nonTerminatingPodHasStaleDisruptionCondition, k8s.io/kubernetes
// pkg/controller/disruption v1.37.2, without the wait. What the kubelet terminates may take
// as long as it likes.
func targeted(pod *corev1.Pod) bool {
	_, c := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget)
	return pod.DeletionTimestamp == nil && c != nil && c.Status == corev1.ConditionTrue &&
		c.Reason != corev1.PodReasonTerminationByKubelet && !podutil.IsPodPhaseTerminal(pod.Status.Phase)
}

// untargeted returns the Pod with DisruptionTarget=False.
func untargeted(pod *corev1.Pod, now time.Time) *corev1.Pod {
	pod = pod.DeepCopy()
	i, _ := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget)
	pod.Status.Conditions[i] = corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionFalse,
		ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&pod.Status, pod.Generation, corev1.DisruptionTarget),
		LastTransitionTime: metav1.NewTime(now),
	}
	return pod
}
