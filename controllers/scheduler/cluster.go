package scheduler

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// cluster holds the Nodes with the sums of what is bound to them.
type cluster struct {
	// nodes are the present Nodes by name.
	nodes []*nodeInfo
	// byName holds also those that Pods are bound to but that do not exist.
	byName map[string]*nodeInfo
	// bound are the Pods that count, with what they take.
	bound map[types.NamespacedName]binding
}

// nodeInfo is a Node with the sums of what is bound to it.
type nodeInfo struct {
	// Node is nil while there is none of the name.
	Node *corev1.Node
	// Allocatable is what the Node has, PodsMax how many Pods it takes.
	Allocatable resources
	PodsMax     int64
	// Pods counts the bound Pods; Used and NonZero are their sums.
	Pods          int64
	Used, NonZero resources
	// Ports are the host ports that are taken.
	Ports []hostPort
}

// binding is a Pod that takes something of a Node.
type binding struct {
	uid        types.UID
	generation int64
	node       string
	request    request
}

func newCluster() *cluster {
	return &cluster{byName: map[string]*nodeInfo{}, bound: map[types.NamespacedName]binding{}}
}

// observeNode takes a Node's commit over and reports whether Pods that fitted
// nowhere might fit now.
func (c *cluster) observeNode(node *corev1.Node, deleted bool) bool {
	info := c.info(node.Name)
	at, present := slices.BinarySearchFunc(c.nodes, node.Name, func(n *nodeInfo, name string) int { return cmp.Compare(n.Node.Name, name) })
	if deleted {
		if present {
			c.nodes = slices.Delete(c.nodes, at, at+1)
		}
		info.Node = nil
		return false
	}
	old := info.Node
	info.Node = node
	if !present {
		c.nodes = slices.Insert(c.nodes, at, info)
	}
	if old != nil && !roomier(old, node) {
		return false
	}
	info.Allocatable = resourcesOf(node.Status.Allocatable)
	info.PodsMax = node.Status.Allocatable.Pods().Value()
	return true
}

// roomier reports whether anything changed that filters look at. Heartbeats
// must not wake every Pod that waits.
func roomier(old, node *corev1.Node) bool {
	return old.Spec.Unschedulable != node.Spec.Unschedulable ||
		!maps.Equal(old.Labels, node.Labels) ||
		!equality.Semantic.DeepEqual(old.Spec.Taints, node.Spec.Taints) ||
		!equality.Semantic.DeepEqual(old.Status.Allocatable, node.Status.Allocatable)
}

func (c *cluster) info(name string) *nodeInfo {
	info, ok := c.byName[name]
	if !ok {
		info = &nodeInfo{}
		c.byName[name] = info
	}
	return info
}

// observePod takes a Pod's commit over and reports whether it freed something.
func (c *cluster) observePod(pod *corev1.Pod, deleted bool) (freed bool) {
	name := nameOf(pod)
	counts := !deleted && pod.Spec.NodeName != "" && !podutil.IsPodTerminal(pod)
	have, had := c.bound[name]
	if had && counts && have.node == pod.Spec.NodeName && have.uid == pod.UID && have.generation == pod.Generation {
		return false
	}
	if had {
		c.info(have.node).take(have.request, -1)
		delete(c.bound, name)
	}
	if counts {
		b := binding{uid: pod.UID, generation: pod.Generation, node: pod.Spec.NodeName, request: requestOf(pod)}
		c.bound[name] = b
		c.info(b.node).take(b.request, 1)
	}
	return had
}

// take adds or, with sign -1, removes a Pod.
func (n *nodeInfo) take(r request, sign int64) {
	n.Pods += sign
	n.Used.add(r.Exact, sign)
	n.NonZero.add(r.NonZero, sign)
	if sign > 0 {
		n.Ports = append(n.Ports, r.Ports...)
		return
	}
	for _, p := range r.Ports {
		if at := slices.Index(n.Ports, p); at >= 0 {
			n.Ports = slices.Delete(n.Ports, at, at+1)
		}
	}
}
