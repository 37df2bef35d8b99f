package scheduler

import (
	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/util"
)

// candidate is a plain Pod, prepared for being held against many Nodes.
type candidate struct {
	pod      *corev1.Pod
	info     *framework.PodInfo
	request  fwk.PodResource
	ports    []corev1.ContainerPort
	affinity nodeaffinity.RequiredNodeAffinity
}

func newCandidate(pod *corev1.Pod) *candidate {
	// The error is about terms on other Pods, which a plain Pod does not have.
	info, _ := framework.NewPodInfo(pod)
	return &candidate{
		pod: pod, info: info, request: info.CalculateResource(), ports: util.GetHostPorts(pod), affinity: nodeaffinity.GetRequiredNodeAffinity(pod),
	}
}

// fits reports whether a plain Pod passes the filters on a Node.
// Source: Filter of NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts and
// NodeResourcesFit, k8s.io/kubernetes pkg/scheduler/framework/plugins v1.37.2.
func (c *candidate) fits(n fwk.NodeInfo) bool {
	node, tolerations := n.Node(), c.pod.Spec.Tolerations
	if node.Spec.Unschedulable && !schedulinghelper.TolerationsTolerateTaint(klog.Logger{}, tolerations, &corev1.Taint{
		Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule,
	}, false) {
		return false
	}
	if _, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Logger{}, node.Spec.Taints, tolerations, keepsOut, false); untolerated {
		return false
	}
	if ok, err := c.affinity.Match(node); err != nil || !ok {
		return false
	}
	for _, p := range c.ports {
		if n.GetUsedPorts().CheckConflict(p.HostIP, string(p.Protocol), p.HostPort) {
			return false
		}
	}
	return c.hasRoom(n)
}

func keepsOut(t *corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}

// hasRoom compares a Pod's requests with what the Node has left.
func (c *candidate) hasRoom(n fwk.NodeInfo) bool {
	want, used, has := c.request.Resource, n.GetRequested(), n.GetAllocatable()
	if len(n.GetPods())+1 > has.GetAllowedPodNumber() {
		return false
	}
	fits := func(want, used, has int64) bool { return want <= 0 || want <= has-used }
	for name, quantity := range want.GetScalarResources() {
		if !fits(quantity, used.GetScalarResources()[name], has.GetScalarResources()[name]) {
			return false
		}
	}
	return fits(want.GetMilliCPU(), used.GetMilliCPU(), has.GetMilliCPU()) &&
		fits(want.GetMemory(), used.GetMemory(), has.GetMemory()) &&
		fits(want.GetEphemeralStorage(), used.GetEphemeralStorage(), has.GetEphemeralStorage())
}
