package node

import (
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// renewInterval is how often a Lease is renewed, reportInterval how often an
// unchanged status is written. Unit: virtual time. Source: a quarter of
// nodeLeaseDurationSeconds, and nodeStatusReportFrequency, in
// k8s.io/kubernetes pkg/kubelet/apis/config/v1beta1 v1.37.2.
const (
	renewInterval        = 10 * time.Second
	leaseDurationSeconds = 40
	reportInterval       = 5 * time.Minute
)

// observed is what decide looks at. Node and Lease are nil if there is none.
type observed struct {
	Node           *corev1.Node
	Lease          *coordinationv1.Lease
	LeaseNamespace bool
	// Registered: this run has created or found the Node.
	Registered bool
}

// plan is what has to be done for a node, and when to look again.
type plan struct {
	Register, Report, RenewLease bool
	// Announce: the kubelet has just started. Reboot: with its machine.
	Announce, Reboot bool
	WakeAt           time.Time
}

// decide reads nothing but its arguments.
func decide(o observed, now time.Time) plan {
	if o.Node == nil {
		if o.Registered {
			return plan{WakeAt: now.Add(renewInterval)}
		}
		return plan{Register: true, Announce: true, RenewLease: o.LeaseNamespace, WakeAt: now.Add(renewInterval)}
	}
	if Unreachable(o.Node) {
		return plan{} // until it is reachable again
	}
	p := plan{Announce: !o.Registered}
	p.Reboot = o.Registered && o.Node.Status.NodeInfo.BootID != bootID(o.Node.Name, Boot(o.Node))
	p.Report = !o.Registered || p.Reboot || !healthy(o.Node) || !now.Before(heartbeat(o.Node).Add(reportInterval))
	p.RenewLease = o.LeaseNamespace && (o.Lease == nil || o.Lease.Spec.RenewTime == nil ||
		!now.Before(o.Lease.Spec.RenewTime.Add(renewInterval)))
	p.WakeAt = now.Add(renewInterval)
	if o.Lease != nil && !p.RenewLease && o.Lease.Spec.RenewTime != nil {
		p.WakeAt = o.Lease.Spec.RenewTime.Add(renewInterval)
	}
	return p
}

// healthy reports whether the Node says what its kubelet says. A condition of the kubelet's
// that somebody else sets is corrected, and so is what can be allocated of an extended resource.
func healthy(obj *corev1.Node) bool {
	if !accounted(obj) {
		return false
	}
	for _, c := range conditions(obj, time.Time{}) {
		if !has(obj, c) {
			return false
		}
	}
	return true
}

// has reports whether the Node has a condition with c's status.
func has(obj *corev1.Node, c corev1.NodeCondition) bool {
	return slices.ContainsFunc(obj.Status.Conditions, func(have corev1.NodeCondition) bool { return have.Type == c.Type && have.Status == c.Status })
}

// heartbeat is when the kubelet last reported the node's status.
func heartbeat(obj *corev1.Node) time.Time {
	for _, c := range obj.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.LastHeartbeatTime.Time
		}
	}
	return time.Time{}
}

// renewed returns lease as it is after a renewal at now, and whether it has to
// be created.
func renewed(lease *coordinationv1.Lease, obj *corev1.Node, now time.Time) (next *coordinationv1.Lease, fresh bool) {
	at := metav1.NewMicroTime(now)
	if lease != nil {
		next = lease.DeepCopy()
		next.Spec.RenewTime = &at
		return next, false
	}
	holder, seconds := obj.Name, int32(leaseDurationSeconds)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: corev1.NamespaceNodeLease, Name: obj.Name,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: obj.Name, UID: obj.UID}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &at},
	}, true
}
