package profile

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// nominator knows the Pods for which room is being made: those that have no Node, but a
// nominated one. It follows from the Pods' status; the plugins do not change it.
type nominator struct {
	// nodes are the Pods of each Node, by namespace and name.
	nodes map[string][]fwk.PodInfo
	// of tells the Node of a Pod.
	of map[types.NamespacedName]string
}

var _ fwk.PodNominator = (*nominator)(nil)

func newNominator() *nominator {
	return &nominator{nodes: map[string][]fwk.PodInfo{}, of: map[types.NamespacedName]string{}}
}

// Nominated takes over a Pod's newest state.
func (p *Profile) Nominated(pod *corev1.Pod, waits bool) {
	n, name := p.nominated, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if node, had := n.of[name]; had {
		n.nodes[node] = slices.DeleteFunc(n.nodes[node], func(info fwk.PodInfo) bool { return same(info, name) })
		if len(n.nodes[node]) == 0 {
			delete(n.nodes, node)
		}
		delete(n.of, name)
	}
	if node := pod.Status.NominatedNodeName; waits && node != "" {
		// A term that upstream cannot parse counts as none, as there.
		info, _ := framework.NewPodInfo(pod)
		n.nodes[node] = append(n.nodes[node], info)
		slices.SortFunc(n.nodes[node], func(a, b fwk.PodInfo) int {
			return cmp.Or(cmp.Compare(a.GetPod().Namespace, b.GetPod().Namespace), cmp.Compare(a.GetPod().Name, b.GetPod().Name))
		})
		n.of[name] = node
	}
}

func same(info fwk.PodInfo, name types.NamespacedName) bool {
	return info.GetPod().Namespace == name.Namespace && info.GetPod().Name == name.Name
}

// AnyNominated reports whether room is being made for any Pod.
func (p *Profile) AnyNominated() bool { return len(p.nominated.of) > 0 }

// NominatedPodsForNode implements fwk.PodNominator.
func (n *nominator) NominatedPodsForNode(node string) []fwk.PodInfo { return n.nodes[node] }

// AddNominatedPod implements fwk.PodNominator; see Nominated.
func (*nominator) AddNominatedPod(klog.Logger, fwk.PodInfo, *fwk.NominatingInfo) {}

// DeleteNominatedPodIfExists implements fwk.PodNominator; see Nominated.
func (*nominator) DeleteNominatedPodIfExists(*corev1.Pod) {}

// UpdateNominatedPod implements fwk.PodNominator; see Nominated.
func (*nominator) UpdateNominatedPod(klog.Logger, *corev1.Pod, fwk.PodInfo) {}
