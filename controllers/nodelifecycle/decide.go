package nodelifecycle

import (
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	taintutils "k8s.io/kubernetes/pkg/util/taints"
)

// gracePeriod is how long a Node may be silent, startupGracePeriod how long one
// that has never said anything. Unit: virtual time. Source: the defaults of
// --node-monitor-grace-period and --node-startup-grace-period of
// kube-controller-manager v1.37.2.
const (
	gracePeriod        = 50 * time.Second
	startupGracePeriod = 60 * time.Second
)

// plan is what to do about one Node.
type plan struct {
	// Silent: no heartbeat has come in time. The Node's conditions are Unknown
	// from now on.
	Silent bool
	// AddTaints and RemoveTaints have the effect NoSchedule.
	AddTaints, RemoveTaints []*corev1.Taint
	// NotReady are the Pods of which nobody knows whether they are ready.
	NotReady []*corev1.Pod
	// CheckAt is when the next heartbeat must have come.
	CheckAt time.Time
}

// decideNode reads nothing but its arguments; pods are those of a Node that was ready
// until it fell silent. It becomes Unknown first; that is a change of the Node, and
// the rest follows from it.
func decideNode(node *corev1.Node, pods []*corev1.Pod, heard, now time.Time) plan {
	var p plan
	ready := readiness(node)
	if ready != corev1.ConditionUnknown {
		p.CheckAt = heard.Add(gracePeriod)
		if ready == "" {
			p.CheckAt = heard.Add(startupGracePeriod)
		}
		if !now.Before(p.CheckAt) {
			return plan{Silent: true}
		}
	}
	p.AddTaints, p.RemoveTaints = noScheduleTaints(node)
	if ready == corev1.ConditionUnknown {
		p.NotReady = slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !podutil.IsPodReady(pod) })
	}
	return p
}

// heard is when the last heartbeat came; since is when they began to count.
func heard(node *corev1.Node, lease *coordinationv1.Lease, since time.Time) time.Time {
	last := node.CreationTimestamp.Time
	beats := []time.Time{since}
	if c := condition(node, corev1.NodeReady); c != nil {
		beats = append(beats, c.LastHeartbeatTime.Time)
	}
	if lease != nil && lease.Spec.RenewTime != nil {
		beats = append(beats, lease.Spec.RenewTime.Time)
	}
	for _, beat := range beats {
		if beat.After(last) {
			last = beat
		}
	}
	return last
}

func condition(node *corev1.Node, t corev1.NodeConditionType) *corev1.NodeCondition {
	i := slices.IndexFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == t })
	if i < 0 {
		return nil
	}
	return &node.Status.Conditions[i]
}

// readiness is the status of the condition Ready, empty without one.
func readiness(node *corev1.Node) corev1.ConditionStatus {
	if c := condition(node, corev1.NodeReady); c != nil {
		return c.Status
	}
	return ""
}

// unknown returns the Node with the conditions that its kubelet owns set to
// Unknown. NodeNetworkUnavailable is not the kubelet's. Source:
// Controller.tryUpdateNodeHealth, k8s.io/kubernetes pkg/controller/nodelifecycle v1.37.2.
func unknown(node *corev1.Node, now time.Time) *corev1.Node {
	node = node.DeepCopy()
	for _, t := range []corev1.NodeConditionType{corev1.NodeReady, corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		c := condition(node, t)
		switch {
		case c == nil:
			node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
				Type: t, Status: corev1.ConditionUnknown,
				Reason: "NodeStatusNeverUpdated", Message: "Kubelet never posted node status.",
				LastHeartbeatTime: node.CreationTimestamp, LastTransitionTime: metav1.NewTime(now),
			})
		case c.Status != corev1.ConditionUnknown:
			c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
			c.LastTransitionTime = metav1.NewTime(now)
		}
	}
	return node
}

// conditionTaint is the taint that a condition of a Node stands for, empty for
// none. Source: nodeConditionToTaintKeyStatusMap, k8s.io/kubernetes
// pkg/controller/nodelifecycle v1.37.2.
func conditionTaint(t corev1.NodeConditionType, status corev1.ConditionStatus) string {
	switch {
	case t == corev1.NodeReady && status == corev1.ConditionFalse:
		return corev1.TaintNodeNotReady
	case t == corev1.NodeReady && status == corev1.ConditionUnknown:
		return corev1.TaintNodeUnreachable
	case status != corev1.ConditionTrue:
		return ""
	}
	switch t {
	case corev1.NodeMemoryPressure:
		return corev1.TaintNodeMemoryPressure
	case corev1.NodeDiskPressure:
		return corev1.TaintNodeDiskPressure
	case corev1.NodeNetworkUnavailable:
		return corev1.TaintNodeNetworkUnavailable
	case corev1.NodePIDPressure:
		return corev1.TaintNodePIDPressure
	}
	return ""
}

// noScheduleTaints compares the taints that the Node's conditions and
// spec.unschedulable ask for with those that it has. Source:
// Controller.doNoScheduleTaintingPass, k8s.io/kubernetes pkg/controller/nodelifecycle v1.37.2.
func noScheduleTaints(node *corev1.Node) (add, remove []*corev1.Taint) {
	var want []corev1.Taint
	for _, c := range node.Status.Conditions {
		if key := conditionTaint(c.Type, c.Status); key != "" {
			want = append(want, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
		}
	}
	if node.Spec.Unschedulable {
		want = append(want, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	have := taintutils.TaintSetFilter(node.Spec.Taints, func(t *corev1.Taint) bool {
		if t.Effect != corev1.TaintEffectNoSchedule {
			return false
		}
		switch t.Key {
		case corev1.TaintNodeUnschedulable, corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeNetworkUnavailable,
			corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure, corev1.TaintNodePIDPressure:
			return true
		}
		return false
	})
	return taintutils.TaintSetDiff(want, have)
}

// retainted returns the Node with other taints. Those that are added begin now.
func retainted(node *corev1.Node, add, remove []*corev1.Taint, now time.Time) *corev1.Node {
	node = node.DeepCopy()
	for _, t := range remove {
		node.Spec.Taints, _ = taintutils.DeleteTaint(node.Spec.Taints, t)
	}
	for _, t := range add {
		at := metav1.NewTime(now)
		node.Spec.Taints, _ = taintutils.DeleteTaint(node.Spec.Taints, t)
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: t.Key, Effect: t.Effect, TimeAdded: &at})
	}
	return node
}
