package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// ErrNoNodes is the error of a cluster without Nodes. Source: ErrNoNodesAvailable,
// k8s.io/kubernetes pkg/scheduler v1.37.2.
var ErrNoNodes = errors.New("no nodes available to schedule pods")

// Result is what is to become of a Pod.
type Result struct {
	// Best are the Nodes with the highest score, by name; none if the Pod fits nowhere.
	Best []fwk.NodeInfo
	// Failure says why it fits nowhere.
	Failure *Failure
}

// Failure is why a Pod fits nowhere, and what is done about that.
type Failure struct {
	Message string
	// Plugins are those that have refused the Pod, by name.
	Plugins []string
	// Nominate says that the Pod's nominated Node becomes Node.
	Nominate bool
	Node     string
	// Victims are deleted for it, the most important first; Cleared lose their nomination.
	Victims, Cleared []*corev1.Pod
}

// Schedule holds a Pod against all Nodes. draw decides what upstream leaves to chance in a
// preemption. An error is upstream's SchedulerError.
//
// Source: schedulingAlgorithm and schedulePod, k8s.io/kubernetes pkg/scheduler v1.37.2.
//
// Deviation: all Nodes are looked at, also where upstream stops when it has found some.
func (p *Profile) Schedule(ctx context.Context, pod *corev1.Pod, draw uint64) (Result, error) {
	ctx = quiet(ctx)
	all := p.snapshot.Nodes()
	if len(all) == 0 {
		return Result{Failure: &Failure{Message: ErrNoNodes.Error(), Nominate: true}}, nil
	}
	state := framework.NewCycleState()
	feasible, diagnosis, err := p.feasible(ctx, state, pod)
	if err != nil {
		return Result{}, err
	}
	switch len(feasible) {
	case 0:
		fit := &framework.FitError{Pod: pod, NumAllNodes: len(all), Diagnosis: diagnosis}
		return Result{Failure: p.postFilter(ctx, state, pod, fit, draw)}, nil
	case 1:
		return Result{Best: feasible}, nil
	}
	best, err := p.best(ctx, state, pod, feasible)
	return Result{Best: best}, err
}

// feasible returns the Nodes that pass all filters. Source: findNodesThatFitPod,
// k8s.io/kubernetes pkg/scheduler v1.37.2.
func (p *Profile) feasible(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) ([]fwk.NodeInfo, framework.Diagnosis, error) {
	diagnosis := framework.Diagnosis{NodeToStatus: framework.NewDefaultNodeToStatus()}
	only, status, rejecting := p.preFilter(ctx, state, pod)
	diagnosis.UnschedulablePlugins = rejecting
	if !status.IsSuccess() {
		if !status.IsRejected() {
			return nil, diagnosis, status.AsError()
		}
		diagnosis.NodeToStatus.SetAbsentNodesStatus(status)
		diagnosis.PreFilterMsg = status.Message()
		diagnosis.AddPluginStatus(status)
		return nil, diagnosis, nil
	}
	if name := pod.Status.NominatedNodeName; name != "" {
		if nominated, err := p.snapshot.Get(name); err == nil {
			if found, err := p.filter(ctx, state, pod, []fwk.NodeInfo{nominated}, &diagnosis); err == nil && len(found) > 0 {
				return found, diagnosis, nil
			}
		}
	}
	nodes := p.snapshot.Nodes()
	if !only.AllNodes() {
		nodes = nil
		for _, name := range slices.Sorted(maps.Keys(only.NodeNames)) {
			if node, err := p.snapshot.Get(name); err == nil {
				nodes = append(nodes, node)
			}
		}
		diagnosis.NodeToStatus.SetAbsentNodesStatus(fwk.NewStatus(fwk.UnschedulableAndUnresolvable,
			fmt.Sprintf("node(s) didn't satisfy plugin(s) %v", sets.List(rejecting))))
	}
	found, err := p.filter(ctx, state, pod, nodes, &diagnosis)
	return found, diagnosis, err
}

// preFilter runs the PreFilter plugins over what of the Snapshot the Pod is about.
func (p *Profile) preFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) (*fwk.PreFilterResult, *fwk.Status, sets.Set[string]) {
	if p.focuses {
		// The plugins report terms that upstream cannot parse.
		if info, err := framework.NewPodInfo(pod); err == nil {
			defer p.snapshot.Focus(info)()
		}
	}
	return p.framework.RunPreFilterPlugins(ctx, state, pod)
}

// filter returns those of nodes that pass the filters, in order.
func (p *Profile) filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo, diagnosis *framework.Diagnosis) ([]fwk.NodeInfo, error) {
	var found []fwk.NodeInfo
	for _, node := range nodes {
		status := p.framework.RunFilterPluginsWithNominatedPods(ctx, state, pod, node)
		switch {
		case status.IsSuccess():
			found = append(found, node)
		case status.Code() == fwk.Error:
			return nil, status.AsError()
		default:
			diagnosis.NodeToStatus.Set(node.Node().Name, status)
			diagnosis.AddPluginStatus(status)
		}
	}
	return found, nil
}

// best returns the Nodes with the highest score.
func (p *Profile) best(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) ([]fwk.NodeInfo, error) {
	if status := p.framework.RunPreScorePlugins(ctx, state, pod, nodes); !status.IsSuccess() {
		return nil, status.AsError()
	}
	scores, status := p.framework.RunScorePlugins(ctx, state, pod, nodes)
	if !status.IsSuccess() {
		return nil, status.AsError()
	}
	top := slices.MaxFunc(scores, func(a, b fwk.NodePluginScores) int { return int(a.TotalScore - b.TotalScore) }).TotalScore
	var out []fwk.NodeInfo
	for i, node := range nodes {
		if scores[i].TotalScore == top {
			out = append(out, node)
		}
	}
	return out, nil
}

// postFilter asks DefaultPreemption whether room can be made.
func (p *Profile) postFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, fit *framework.FitError, draw uint64) *Failure {
	out := &Failure{Plugins: sets.List(fit.Diagnosis.UnschedulablePlugins)}
	if p.hopeless(pod) {
		fit.Diagnosis.PostFilterMsg = p.noVictims(pod, fit)
		out.Nominate = pod.Spec.PreemptionPolicy == nil || *pod.Spec.PreemptionPolicy != corev1.PreemptNever
		out.Message = fit.Error()
		return out
	}
	p.preemption.reset(draw)
	result, status := p.framework.RunPostFilterPlugins(ctx, state, pod, byName{fit.Diagnosis.NodeToStatus})
	fit.Diagnosis.PostFilterMsg = status.Message()
	out.Message = fit.Error()
	if result != nil && result.Mode() == fwk.ModeOverride {
		out.Nominate, out.Node = true, result.NominatedNodeName
	}
	out.Victims, out.Cleared = p.preemption.victims, p.preemption.cleared
	return out
}

// hopeless reports whether DefaultPreemption need not be asked: there is nobody to make room.
// Its dry run of all Nodes costs more than all the rest of a Pod that fits nowhere.
func (p *Profile) hopeless(pod *corev1.Pod) bool {
	return pod.Status.NominatedNodeName == "" && !p.snapshot.BelowPriority(schedulinghelper.PodPriority(pod))
}

// noVictims is what DefaultPreemption says of a Pod for which there is nobody to make room.
// Source: Evaluator.evaluate, k8s.io/kubernetes pkg/scheduler/framework/preemption, and
// SelectVictimsOnNode of DefaultPreemption, v1.37.2.
func (p *Profile) noVictims(pod *corev1.Pod, fit *framework.FitError) string {
	if policy := pod.Spec.PreemptionPolicy; policy != nil && *policy == corev1.PreemptNever {
		return "preemption: not eligible due to preemptionPolicy=Never."
	}
	statuses := framework.NewDefaultNodeToStatus()
	statuses.SetAbsentNodesStatus(fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "Preemption is not helpful for scheduling"))
	// The one error is a Node that is not there.
	potential, _ := fit.Diagnosis.NodeToStatus.NodesForStatusCode(p.snapshot, fwk.Unschedulable)
	none := fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "No preemption victims found for incoming pod")
	for _, node := range potential {
		statuses.Set(node.Node().Name, none)
	}
	return "preemption: " + (&framework.FitError{Pod: pod, NumAllNodes: fit.NumAllNodes, Diagnosis: framework.Diagnosis{NodeToStatus: statuses}}).Error()
}

// byName lists Nodes by name, where upstream's statuses have them in the order of a map.
type byName struct{ *framework.NodeToStatus }

// NodesForStatusCode implements fwk.NodeToStatusReader.
func (m byName) NodesForStatusCode(lister fwk.NodeInfoLister, code fwk.Code) ([]fwk.NodeInfo, error) {
	nodes, err := m.NodeToStatus.NodesForStatusCode(lister, code)
	return slices.SortedFunc(slices.Values(nodes), func(a, b fwk.NodeInfo) int {
		return cmp.Compare(a.Node().Name, b.Node().Name)
	}), err
}
