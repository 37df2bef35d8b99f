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
	// selective says that affinity asks for something.
	selective bool
}

// newCandidate returns an error if upstream cannot parse what the Pod says of other Pods.
func newCandidate(pod *corev1.Pod) (*candidate, error) {
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		return nil, err
	}
	return &candidate{
		pod: pod, info: info, request: info.CalculateResource(), ports: util.GetHostPorts(pod), affinity: nodeaffinity.GetRequiredNodeAffinity(pod),
		selective: len(pod.Spec.NodeSelector) > 0 || pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil,
	}, nil
}

// fits reports whether a plain Pod passes the filters that look at each Node by itself.
// Source: Filter of NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts and
// NodeResourcesFit, k8s.io/kubernetes pkg/scheduler/framework/plugins v1.37.2.
func (c *candidate) fits(n fwk.NodeInfo) bool {
	node := n.Node()
	if node.Spec.Unschedulable && !schedulinghelper.TolerationsTolerateTaint(klog.Logger{}, c.pod.Spec.Tolerations, &corev1.Taint{
		Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule,
	}, false) {
		return false
	}
	if !c.tolerates(node) {
		return false
	}
	if c.selective {
		if ok, err := c.affinity.Match(node); err != nil || !ok {
			return false
		}
	}
	for _, p := range c.ports {
		if n.GetUsedPorts().CheckConflict(p.HostIP, string(p.Protocol), p.HostPort) {
			return false
		}
	}
	return c.hasRoom(n)
}

// tolerates reports whether no taint keeps the Pod out.
func (c *candidate) tolerates(node *corev1.Node) bool {
	if len(node.Spec.Taints) == 0 {
		return true
	}
	_, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Logger{}, node.Spec.Taints, c.pod.Spec.Tolerations, keepsOut, false)
	return !untolerated
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
