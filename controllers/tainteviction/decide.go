package tainteviction

import (
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// eviction is a deletion to come.
type eviction struct {
	// CreatedAt is when it was decided on, FireAt when it happens.
	CreatedAt, FireAt time.Time
	// Told: it is under way.
	Told bool `json:",omitempty"`
}

// plan is what to do about one Pod.
type plan struct {
	// Cancel tells that the scheduled eviction does not happen.
	Cancel bool
	// Delete the Pod now.
	Delete bool
	// Schedule is the eviction to come; nil for none.
	Schedule *eviction
}

// decide reads nothing but its arguments: the Pod, the taints of its Node with
// the effect NoExecute and the eviction to come, nil for none. Source:
// Controller.processPodOnNode, k8s.io/kubernetes pkg/controller/tainteviction v1.37.2.
func decide(pod *corev1.Pod, taints []corev1.Taint, scheduled *eviction, now time.Time) plan {
	if len(taints) == 0 || evicted(pod) {
		return plan{Cancel: scheduled != nil}
	}
	if scheduled != nil && !now.Before(scheduled.FireAt) {
		return plan{Delete: true}
	}
	tolerated, used := v1helper.GetMatchingTolerations(klog.Logger{}, taints, pod.Spec.Tolerations)
	if !tolerated {
		return plan{Cancel: scheduled != nil, Delete: true}
	}
	wait, forever := tolerationTime(used)
	switch {
	case forever:
		return plan{Cancel: scheduled != nil}
	case scheduled != nil && scheduled.CreatedAt.Before(now):
		// An eviction that is under way is neither put off nor brought forward.
		return plan{Schedule: scheduled}
	case wait == 0:
		return plan{Cancel: scheduled != nil, Delete: true}
	}
	return plan{Cancel: scheduled != nil, Schedule: &eviction{CreatedAt: now, FireAt: engine.After(now, wait)}}
}

// evicted reports whether the Pod goes already.
//
// Deviation: upstream deletes it again when it starts, or another taint comes,
// and tells about it.
func evicted(pod *corev1.Pod) bool {
	_, c := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget)
	return pod.DeletionTimestamp != nil && c != nil && c.Reason == reason
}

// tolerationTime is the least that the tolerations allow, at least 0.
func tolerationTime(tolerations []corev1.Toleration) (wait time.Duration, forever bool) {
	least := int64(math.MaxInt64)
	for _, t := range tolerations {
		if t.TolerationSeconds != nil {
			least = min(least, max(*t.TolerationSeconds, 0))
		}
	}
	if least == math.MaxInt64 {
		return 0, true
	}
	return engine.Seconds(least), false
}

// reason is that of the condition DisruptionTarget.
const reason = "DeletionByTaintManager"

// noExecute returns the taints that end Pods; node may be nil.
func noExecute(node *corev1.Node) []corev1.Taint {
	if node == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectNoExecute })
}

// targeted returns the Pod with the condition that says why it goes, and
// whether that is new.
func targeted(pod *corev1.Pod, now time.Time) (next *corev1.Pod, changed bool) {
	c := corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: reason, Message: "Taint manager: deleting due to NoExecute taint",
		ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&pod.Status, pod.Generation, corev1.DisruptionTarget),
		LastTransitionTime: metav1.NewTime(now),
	}
	next = pod.DeepCopy()
	i, have := podutil.GetPodCondition(&next.Status, corev1.DisruptionTarget)
	if have == nil {
		next.Status.Conditions = append(next.Status.Conditions, c)
		return next, true
	}
	if have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	changed = have.Status != c.Status || have.Reason != c.Reason || have.Message != c.Message ||
		!have.LastProbeTime.IsZero() // a new generation alone is nothing new: UpdatePodCondition, k8s.io/kubernetes pkg/api/v1/pod v1.37.2.
	next.Status.Conditions[i] = c
	return next, changed
}
