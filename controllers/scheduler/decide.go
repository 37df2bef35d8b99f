package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// plan is where a Pod goes, or why it goes nowhere.
type plan struct {
	// Node is the name of the Node to bind to.
	Node string
	// Bindings are what its claims need before that.
	Bindings bindings
	// Message is why there is none.
	Message string
}

// decide holds the Pod against each Node, in order of their names, and takes
// the best; draw chooses among equals.
func decide(pod *corev1.Pod, volumes podVolumes, nodes []*nodeInfo, draw uint64) plan {
	if len(nodes) == 0 {
		return plan{Message: "no nodes available to schedule pods"}
	}
	if volumes.Refusal != "" {
		return plan{Message: fitsNowhere(pod, volumes.Refusal, len(nodes))}
	}
	c := newCandidate(pod, volumes)
	var feasible []*nodeInfo
	var refusals []refusal
	for _, n := range nodes {
		if r := c.filter(n); len(r.Reasons) > 0 {
			refusals = append(refusals, r)
		} else {
			feasible = append(feasible, n)
		}
	}
	if len(feasible) == 0 {
		return plan{Message: fitError(pod, refusals)}
	}
	best := c.best(feasible)
	node := best[draw%uint64(len(best))].Node
	bindings, _ := volumes.on(node)
	return plan{Node: node.Name, Bindings: bindings}
}

// fitError says how many Nodes refuse the Pod for which reason, and that
// preemption does not help.
// Source: FitError.Error, k8s.io/kubernetes pkg/scheduler/framework v1.37.2.
//
// Deviation: as nothing is ever preempted, no Node has victims.
func fitError(pod *corev1.Pod, refusals []refusal) string {
	why, preempt := map[string]int{}, map[string]int{}
	for _, r := range refusals {
		for _, reason := range r.Reasons {
			why[reason]++
		}
		if r.Resolvable {
			preempt["No preemption victims found for incoming pod"]++
		} else {
			preempt["Preemption is not helpful for scheduling"]++
		}
	}
	return available(len(refusals), why) + preemption(pod, len(refusals), preempt)
}

// fitsNowhere is FitError.Error for a Pod that is refused before any Node is
// looked at.
func fitsNowhere(pod *corev1.Pod, reason string, nodes int) string {
	return fmt.Sprintf("0/%d nodes are available: %s.", nodes, reason) +
		preemption(pod, nodes, map[string]int{"Preemption is not helpful for scheduling": nodes})
}

// preemption is the part of the message that says why no Pod makes room.
func preemption(pod *corev1.Pod, nodes int, reasons map[string]int) string {
	if p := pod.Spec.PreemptionPolicy; p != nil && *p == corev1.PreemptNever {
		return " preemption: not eligible due to preemptionPolicy=Never."
	}
	return " preemption: " + available(nodes, reasons)
}

// available is the histogram of reasons, sorted as text, as upstream sorts it.
func available(nodes int, reasons map[string]int) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, fmt.Sprintf("%d %s", reasons[reason], reason))
	}
	slices.Sort(parts)
	return fmt.Sprintf("0/%d nodes are available: %s.", nodes, strings.Join(parts, ", "))
}
