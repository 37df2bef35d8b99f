package podgc

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/podgc/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// plan is which Pods to delete by force, and when to look again.
type plan struct {
	Delete []*corev1.Pod
	// Reason is why, in the word of upstream's metrics.
	Reason string
	WakeAt time.Time
}

// Reconcile implements engine.Reconciler. Missing Nodes and Pods that cannot
// end are progress: a Job may wait for them. The number of finished Pods is upkeep.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, now time.Time) (engine.Wake, error) {
	var p plan
	wake := engine.Progress
	switch key.Kind {
	case nodeKind:
		return r.reconcileNode(ctx, key.Name, now)
	case podKind:
		if pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, key.Namespace, key.Name); ok {
			p = decideUnscheduled(pod, r.period, now)
		}
	case terminatedKind:
		p, wake = r.terminatedPods(now), engine.Upkeep
	}
	return wake(p.WakeAt), r.apply(ctx, p, now)
}

// reconcileNode deletes the Pods of a Node that is gone. The quarantine starts over
// for those that could not be deleted, as upstream's does.
func (r *Reconciler) reconcileNode(ctx context.Context, name string, now time.Time) (engine.Wake, error) {
	p := r.node(name, now)
	err := r.apply(ctx, p, now)
	if p.WakeAt.IsZero() {
		delete(r.missing, name)
	}
	return engine.Progress(p.WakeAt), err
}

func (r *Reconciler) node(name string, now time.Time) plan {
	node, exists := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name)
	since, missed := r.missing[name]
	if !exists && !missed {
		since = now
		r.missing[name] = now
	}
	var pods []*corev1.Pod
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		if pod.Spec.NodeName == name {
			pods = append(pods, pod)
		}
	}
	return decideNode(node, pods, since.Add(r.quarantine), now)
}

// decideNode returns what to do about the Pods of a Node, which is nil if it is
// missing and in quarantine until an instant. A Node that comes back by then
// keeps its Pods.
func decideNode(node *corev1.Node, pods []*corev1.Pod, until, now time.Time) plan {
	if node == nil {
		if len(pods) > 0 && now.Before(until) {
			return plan{WakeAt: until}
		}
		return plan{Delete: pods, Reason: metrics.PodGCReasonOrphaned}
	}
	if !outOfService(node) {
		return plan{}
	}
	leaving := slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil })
	return plan{Delete: leaving, Reason: metrics.PodGCReasonTerminatingOutOfService}
}

// outOfService reports whether the Node is not ready and an operator has said
// that it will not come back.
func outOfService(node *corev1.Node) bool {
	tainted := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return tainted && !ready
}

// decideUnscheduled returns what to do about a Pod that is being deleted
// without having had a Node, and so a kubelet to end it.
func decideUnscheduled(pod *corev1.Pod, period time.Duration, now time.Time) plan {
	if pod.DeletionTimestamp == nil || pod.Spec.NodeName != "" {
		return plan{}
	}
	grace := time.Duration(0)
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		grace = engine.Seconds(*s)
	}
	if at := engine.After(pod.DeletionTimestamp.Time, period-grace); now.Before(at) {
		return plan{WakeAt: at}
	}
	return plan{Delete: []*corev1.Pod{pod}, Reason: metrics.PodGCReasonTerminatingUnscheduled}
}

// terminatedPods sweeps at most once a period, because a sweep goes through
// all Pods.
func (r *Reconciler) terminatedPods(now time.Time) plan {
	if r.threshold == 0 || r.terminated <= r.threshold {
		return plan{}
	}
	if r.sweep.IsZero() {
		r.sweep = now.Add(r.period)
	}
	if now.Before(r.sweep) {
		return plan{WakeAt: r.sweep}
	}
	r.sweep = time.Time{}
	return decideTerminated(engine.List[*corev1.Pod](r.view, engine.Pods, ""), r.threshold)
}

// decideTerminated returns the oldest finished Pods above threshold, evicted
// ones first.
func decideTerminated(pods []*corev1.Pod, threshold int) plan {
	finished := slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !podutil.IsPodTerminal(pod) })
	if len(finished) <= threshold {
		return plan{}
	}
	slices.SortFunc(finished, func(a, b *corev1.Pod) int {
		return cmp.Or(
			cmp.Compare(notEvicted(a), notEvicted(b)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Namespace, b.Namespace),
		)
	})
	return plan{Delete: finished[:len(finished)-threshold], Reason: metrics.PodGCReasonTerminated}
}

func notEvicted(pod *corev1.Pod) int {
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "Evicted" {
		return 0
	}
	return 1
}

// failed returns the Pod as Failed; an orphaned one with the condition that
// says so.
func failed(pod *corev1.Pod, orphaned bool, now time.Time) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.Status.Phase = corev1.PodFailed
	pod.Status.ObservedGeneration = podutil.CalculatePodStatusObservedGeneration(pod)
	if !orphaned {
		return pod
	}
	c := corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists",
		ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&pod.Status, pod.Generation, corev1.DisruptionTarget),
		LastTransitionTime: metav1.NewTime(now),
	}
	if i, have := podutil.GetPodCondition(&pod.Status, corev1.DisruptionTarget); have != nil {
		if have.Status == c.Status {
			c.LastTransitionTime = have.LastTransitionTime
		}
		pod.Status.Conditions[i] = c
	} else {
		pod.Status.Conditions = append(pod.Status.Conditions, c)
	}
	return pod
}
