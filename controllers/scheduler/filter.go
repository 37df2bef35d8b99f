package scheduler

import (
	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// candidate is a Pod, prepared for being held against many Nodes.
type candidate struct {
	pod      *corev1.Pod
	request  request
	affinity nodeaffinity.RequiredNodeAffinity
	volumes  podVolumes
}

func newCandidate(pod *corev1.Pod, volumes podVolumes) *candidate {
	return &candidate{pod: pod, request: requestOf(pod), affinity: nodeaffinity.GetRequiredNodeAffinity(pod), volumes: volumes}
}

// refusal is why a Pod does not fit one Node.
type refusal struct {
	// Reasons are in upstream's words; none means that the Pod fits.
	Reasons []string
	// Resolvable: it might fit if other Pods went.
	Resolvable bool
}

// filter returns why the Pod does not fit the Node, by the first plugin that
// refuses it, in upstream's order.
// Source: getDefaultPlugins, k8s.io/kubernetes pkg/scheduler/apis/config/v1
// v1.37.2, and those plugins' Filter.
func (c *candidate) filter(n *nodeInfo) refusal {
	tolerations := c.pod.Spec.Tolerations
	if n.Node.Spec.Unschedulable && !schedulinghelper.TolerationsTolerateTaint(klog.Logger{}, tolerations, &corev1.Taint{
		Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule,
	}, false) {
		return refusal{Reasons: []string{"node(s) were unschedulable"}}
	}
	if _, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Logger{}, n.Node.Spec.Taints, tolerations, keepsOut, false); untolerated {
		return refusal{Reasons: []string{"node(s) had untolerated taint(s)"}}
	}
	if ok, err := c.affinity.Match(n.Node); err != nil || !ok {
		return refusal{Reasons: []string{"node(s) didn't match Pod's node affinity/selector"}}
	}
	for _, want := range c.request.Ports {
		for _, taken := range n.Ports {
			if want.conflicts(taken) {
				return refusal{Reasons: []string{"node(s) didn't have free ports for the requested pod ports"}, Resolvable: true}
			}
		}
	}
	if r := fits(c.request.Exact, n); len(r.Reasons) > 0 {
		return r
	}
	if c.volumes.InUse {
		return refusal{Reasons: []string{"node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"}, Resolvable: true}
	}
	_, reasons := c.volumes.on(n.Node)
	return refusal{Reasons: reasons}
}

func keepsOut(t *corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}

// fits compares a Pod's requests with what the Node has left. A request that is
// larger than the whole Node cannot be helped by the end of other Pods.
// Source: fitsRequest, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/noderesources v1.37.2.
func fits(want resources, n *nodeInfo) refusal {
	out := refusal{Resolvable: true}
	if n.Pods+1 > n.PodsMax {
		out.Reasons = append(out.Reasons, "Too many pods")
	}
	check := func(reason string, want, used, has int64) {
		if want > 0 && want > has-used {
			out.Reasons = append(out.Reasons, reason)
			out.Resolvable = out.Resolvable && want <= has
		}
	}
	check("Insufficient cpu", want.CPU, n.Used.CPU, n.Allocatable.CPU)
	check("Insufficient memory", want.Memory, n.Used.Memory, n.Allocatable.Memory)
	check("Insufficient ephemeral-storage", want.Ephemeral, n.Used.Ephemeral, n.Allocatable.Ephemeral)
	for _, name := range want.scalarNames() {
		check("Insufficient "+string(name), want.Scalar[name], n.Used.Scalar[name], n.Allocatable.Scalar[name])
	}
	return out
}
