package scheduler

import (
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// scoreMax is the best score of one plugin.
const scoreMax = fwk.MaxScore

// The plugins' weights. Source: getDefaultPlugins, k8s.io/kubernetes
// pkg/scheduler/apis/config/v1 v1.37.2.
const (
	weightTaints   = 3
	weightAffinity = 2
	weightSpread   = 2
)

// scores returns what the plugins that look at each Node by itself make of Nodes; all is how
// many Nodes there are.
func (c *candidate) scores(nodes []fwk.NodeInfo, all int) []int64 {
	scores := make([]int64, len(nodes))
	for i, n := range nodes {
		scores[i] = c.leastAllocated(n) + c.balanced(n) + c.imageLocality(n, all)
	}
	c.addNormalized(scores, nodes, weightTaints, true, c.dislikedTaints())
	c.addNormalized(scores, nodes, weightAffinity, false, c.preferredAffinity())
	return scores
}

// highest returns the Nodes with the highest score, in the order of nodes.
func highest(nodes []fwk.NodeInfo, scores []int64) []fwk.NodeInfo {
	top := slices.Max(scores)
	var out []fwk.NodeInfo
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
func (c *candidate) leastAllocated(n fwk.NodeInfo) int64 {
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
	add(n.GetNonZeroRequested().GetMilliCPU()+c.request.Non0CPU, n.GetAllocatable().GetMilliCPU())
	add(n.GetNonZeroRequested().GetMemory()+c.request.Non0Mem, n.GetAllocatable().GetMemory())
	if weights == 0 {
		return 0
	}
	return sum / weights
}

// balanced favours the Node on which CPU and memory come out equally used.
// Source: balancedResourceScorer, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/noderesources v1.37.2.
func (c *candidate) balanced(n fwk.NodeInfo) int64 {
	want, used := c.request.Resource, n.GetRequested()
	if want.GetMilliCPU() == 0 && want.GetMemory() == 0 {
		return 0
	}
	after := balance(used.GetMilliCPU()+want.GetMilliCPU(), used.GetMemory()+want.GetMemory(), n.GetAllocatable())
	before := balance(used.GetMilliCPU(), used.GetMemory(), n.GetAllocatable())
	return scoreMax/2 + (scoreMax/2+after-before)/2
}

func balance(cpu, memory int64, has fwk.Resource) int64 {
	if has.GetMilliCPU() == 0 || has.GetMemory() == 0 {
		return scoreMax
	}
	deviation := math.Abs(min(float64(cpu)/float64(has.GetMilliCPU()), 1)-min(float64(memory)/float64(has.GetMemory()), 1)) / 2
	return int64((1 - deviation) * float64(scoreMax))
}

// The sizes of images between which imageLocality distinguishes, in bytes. Source:
// k8s.io/kubernetes pkg/scheduler/framework/plugins/imagelocality v1.37.2.
const (
	imageMin = 23 << 20
	imageMax = 1000 << 20 // for each container
)

// imageLocality favours the Node that has the Pod's images, the more Nodes have them. Source:
// Score of ImageLocality, k8s.io/kubernetes pkg/scheduler/framework/plugins/imagelocality
// v1.37.2.
func (c *candidate) imageLocality(n fwk.NodeInfo, all int) int64 {
	var sum int64
	states := n.GetImageStates()
	add := func(containers []corev1.Container) {
		for i := range containers {
			if state, ok := states[normalizedImage(containers[i].Image)]; ok {
				sum += int64(float64(state.Size) * (float64(state.NumNodes) / float64(all)))
			}
		}
	}
	if len(states) > 0 {
		add(c.pod.Spec.InitContainers)
		add(c.pod.Spec.Containers)
	}
	most := imageMax * int64(len(c.pod.Spec.InitContainers)+len(c.pod.Spec.Containers))
	return scoreMax * (min(max(sum, imageMin), most) - imageMin) / (most - imageMin)
}

func normalizedImage(name string) string {
	if strings.LastIndex(name, ":") <= strings.LastIndex(name, "/") {
		return name + ":latest"
	}
	return name
}

// addNormalized adds a plugin's scores, stretched so that the highest becomes
// scoreMax. A nil plugin has nothing to say.
func (c *candidate) addNormalized(scores []int64, nodes []fwk.NodeInfo, weight int64, reverse bool, plugin func(fwk.NodeInfo) int64) {
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
func (c *candidate) dislikedTaints() func(fwk.NodeInfo) int64 {
	var tolerations []corev1.Toleration
	for _, t := range c.pod.Spec.Tolerations {
		if t.Effect == "" || t.Effect == corev1.TaintEffectPreferNoSchedule {
			tolerations = append(tolerations, t)
		}
	}
	return func(n fwk.NodeInfo) int64 {
		count := int64(0)
		for i := range n.Node().Spec.Taints {
			taint := &n.Node().Spec.Taints[i]
			if taint.Effect == corev1.TaintEffectPreferNoSchedule && !schedulinghelper.TolerationsTolerateTaint(klog.Logger{}, tolerations, taint, false) {
				count++
			}
		}
		return count
	}
}

// preferredAffinity adds up the weights of the preferred terms that match.
func (c *candidate) preferredAffinity() func(fwk.NodeInfo) int64 {
	affinity := c.pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || len(affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return nil
	}
	terms, err := nodeaffinity.NewPreferredSchedulingTerms(affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	if err != nil {
		return nil
	}
	return func(n fwk.NodeInfo) int64 { return terms.Score(n.Node()) }
}
