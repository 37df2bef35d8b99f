package scheduler

import (
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// scoreMax is the best score of one plugin. Source: MaxNodeScore,
// k8s.io/kube-scheduler framework v0.37.2.
const scoreMax = 100

// The plugins' weights. Source: getDefaultPlugins, k8s.io/kubernetes
// pkg/scheduler/apis/config/v1 v1.37.2.
const (
	weightTaints   = 3
	weightAffinity = 2
)

// best returns the Nodes with the highest score, in the order of nodes.
func (c *candidate) best(nodes []*nodeInfo) []*nodeInfo {
	if len(nodes) == 1 {
		return nodes
	}
	scores := make([]int64, len(nodes))
	for i, n := range nodes {
		scores[i] = leastAllocated(c.request.NonZero, n) + c.balanced(n)
	}
	c.addNormalized(scores, nodes, weightTaints, true, c.dislikedTaints())
	c.addNormalized(scores, nodes, weightAffinity, false, c.preferredAffinity())
	top := slices.Max(scores)
	var out []*nodeInfo
	for i, n := range nodes {
		if scores[i] == top {
			out = append(out, n)
		}
	}
	return out
}

// leastAllocated favours the Node with the most CPU and memory left.
// Source: leastResourceScorer, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/noderesources v1.37.2.
func leastAllocated(want resources, n *nodeInfo) int64 {
	var sum, weights int64
	add := func(used, has int64) {
		if has == 0 {
			return
		}
		weights++
		if used <= has {
			sum += (has - used) * scoreMax / has
		}
	}
	add(n.NonZero.CPU+want.CPU, n.Allocatable.CPU)
	add(n.NonZero.Memory+want.Memory, n.Allocatable.Memory)
	if weights == 0 {
		return 0
	}
	return sum / weights
}

// balanced favours the Node on which CPU and memory come out equally used.
// Source: balancedResourceScorer, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/noderesources v1.37.2.
func (c *candidate) balanced(n *nodeInfo) int64 {
	want := c.request.Exact
	if want.CPU == 0 && want.Memory == 0 {
		return 0
	}
	after := balance(n.Used.CPU+want.CPU, n.Used.Memory+want.Memory, n.Allocatable)
	before := balance(n.Used.CPU, n.Used.Memory, n.Allocatable)
	return scoreMax/2 + (scoreMax/2+after-before)/2
}

func balance(cpu, memory int64, has resources) int64 {
	if has.CPU == 0 || has.Memory == 0 {
		return scoreMax
	}
	deviation := math.Abs(min(float64(cpu)/float64(has.CPU), 1)-min(float64(memory)/float64(has.Memory), 1)) / 2
	return int64((1 - deviation) * scoreMax)
}

// addNormalized adds a plugin's scores, stretched so that the highest becomes
// scoreMax. A nil plugin has nothing to say.
func (c *candidate) addNormalized(scores []int64, nodes []*nodeInfo, weight int64, reverse bool, plugin func(*nodeInfo) int64) {
	if plugin == nil {
		return
	}
	raw := make([]int64, len(nodes))
	for i, n := range nodes {
		raw[i] = plugin(n)
	}
	top := slices.Max(raw)
	for i := range raw {
		score := int64(0)
		if top > 0 {
			score = raw[i] * scoreMax / top
		}
		if reverse {
			score = scoreMax - score
		}
		scores[i] += weight * score
	}
}

// dislikedTaints counts a Node's PreferNoSchedule taints that the Pod does not
// tolerate.
func (c *candidate) dislikedTaints() func(*nodeInfo) int64 {
	var tolerations []corev1.Toleration
	for _, t := range c.pod.Spec.Tolerations {
		if t.Effect == "" || t.Effect == corev1.TaintEffectPreferNoSchedule {
			tolerations = append(tolerations, t)
		}
	}
	return func(n *nodeInfo) int64 {
		count := int64(0)
		for i := range n.Node.Spec.Taints {
			taint := &n.Node.Spec.Taints[i]
			if taint.Effect == corev1.TaintEffectPreferNoSchedule && !schedulinghelper.TolerationsTolerateTaint(klog.Logger{}, tolerations, taint, false) {
				count++
			}
		}
		return count
	}
}

// preferredAffinity adds up the weights of the preferred terms that match.
func (c *candidate) preferredAffinity() func(*nodeInfo) int64 {
	affinity := c.pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || len(affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return nil
	}
	terms, err := nodeaffinity.NewPreferredSchedulingTerms(affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	if err != nil {
		return nil
	}
	return func(n *nodeInfo) int64 { return terms.Score(n.Node) }
}
