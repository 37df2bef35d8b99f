package profile

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	extenderv1 "k8s.io/kube-scheduler/extender/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"
)

// preemptor makes upstream's DefaultPreemption repeatable: it records what is to be done
// instead of doing it, and breaks the ties that upstream leaves to chance.
type preemptor struct {
	preemption.Interface
	// draw stands for upstream's random number.
	draw uint64
	// victims are the Pods to delete, and cleared those that lose their nomination.
	victims, cleared []*corev1.Pod
}

var _ fwk.APICacher = (*preemptor)(nil)

// tame puts p between the plugin and what it would do.
func (p *preemptor) tame(plugin *defaultpreemption.DefaultPreemption) {
	p.Interface = plugin.Evaluator.Interface
	plugin.Evaluator.Interface = p
	plugin.MoreImportantVictim = moreImportant
	plugin.Executor.PreemptPod = func(_ context.Context, _ preemption.Candidate, _ preemption.ExecutorPreemptor, victim *corev1.Pod, _ string) (bool, error) {
		p.victims = append(p.victims, victim)
		return false, nil
	}
}

func (p *preemptor) reset(draw uint64) { p.draw, p.victims, p.cleared = draw, nil, nil }

// GetOffsetAndNumCandidates implements preemption.Interface, with a seeded offset.
func (p *preemptor) GetOffsetAndNumCandidates(nodes int32) (offset, candidates int32) {
	_, candidates = p.Interface.GetOffsetAndNumCandidates(nodes)
	return int32(p.draw % uint64(max(nodes, 1))), candidates //nolint:gosec // it is less than nodes
}

// OrderedScoreFuncs implements preemption.Interface: upstream's order of preference, and then
// the Node's name. Source: pickOneNodeForPreemption, k8s.io/kubernetes
// pkg/scheduler/framework/preemption v1.37.2.
func (p *preemptor) OrderedScoreFuncs(_ context.Context, on map[string]*extenderv1.Victims) []func(node string) int64 {
	names := slices.Sorted(maps.Keys(on))
	return []func(string) int64{
		func(node string) int64 { return -on[node].NumPDBViolations },
		func(node string) int64 { return -int64(schedulinghelper.PodPriority(on[node].Pods[0])) },
		func(node string) int64 {
			sum := int64(0)
			for _, pod := range on[node].Pods {
				sum += int64(schedulinghelper.PodPriority(pod)) + int64(math.MaxInt32+1)
			}
			return -sum
		},
		func(node string) int64 { return -int64(len(on[node].Pods)) },
		func(node string) int64 { return earliestOfMostImportant(on[node].Pods) },
		func(node string) int64 { return -int64(slices.Index(names, node)) },
	}
}

// earliestOfMostImportant is the earliest start of the victims of the highest priority.
// Source: GetEarliestPodStartTime, k8s.io/kubernetes pkg/scheduler/util v1.37.2.
func earliestOfMostImportant(victims []*corev1.Pod) int64 {
	earliest, highest := int64(math.MaxInt64), int32(math.MinInt32)
	for _, pod := range victims {
		switch priority := schedulinghelper.PodPriority(pod); {
		case priority > highest:
			highest, earliest = priority, started(pod)
		case priority == highest:
			earliest = min(earliest, started(pod))
		}
	}
	return earliest
}

// started is when a Pod was started. One that was not counts as started now, at the latest
// instant of all: upstream takes the wall clock for it.
func started(pod *corev1.Pod) int64 {
	if pod.Status.StartTime == nil {
		return math.MaxInt64
	}
	return pod.Status.StartTime.UnixNano()
}

// moreImportant is upstream's order of victims, made total by namespace and name. Source:
// MoreImportantVictim, k8s.io/kubernetes pkg/scheduler/framework/preemption v1.37.2, without
// pod groups.
func moreImportant(a, b preemption.Victim) bool {
	one, other := a.Pods()[0].GetPod(), b.Pods()[0].GetPod()
	return cmp.Or(
		cmp.Compare(b.Priority(), a.Priority()),
		cmp.Compare(started(one), started(other)),
		cmp.Compare(one.Namespace, other.Namespace),
		cmp.Compare(one.Name, other.Name),
	) < 0
}

// PatchPodStatus implements fwk.APICacher: DefaultPreemption takes away nominations with it.
func (p *preemptor) PatchPodStatus(pod *corev1.Pod, _ []*corev1.PodCondition, _ *fwk.NominatingInfo) (<-chan error, error) {
	p.cleared = append(p.cleared, pod)
	return nil, nil
}

// BindPod implements fwk.APICacher; nothing here calls it.
func (*preemptor) BindPod(*corev1.Binding) (<-chan error, error) { return nil, nil }

// WaitOnFinish implements fwk.APICacher; nothing here calls it.
func (*preemptor) WaitOnFinish(context.Context, <-chan error) error { return nil }
