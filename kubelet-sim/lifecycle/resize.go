package lifecycle

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/resize"
)

// allocate gives the Pod the resources that its spec asks for, if the node has them.
func (r *Reconciler) allocate(ctx context.Context, run *podRun, now time.Time) {
	run.dirty = true
	wanted := admission.DemandOf(run.desired)
	if !resize.Allocate(&run.State, run.desired, r.roomFor(run, wanted), now, run.teller(ctx)) {
		run.node.deferred[run.name] = true
		return
	}
	run.pod = run.desired
	delete(run.node.deferred, run.name)
	r.recount(run, wanted)
	run.event(ctx, -1, event.ResizeStarted(run.pod))
}

// roomFor says why the Pod's node has no room for what it wants, beside what the
// others have; nil if it has.
func (r *Reconciler) roomFor(run *podRun, wanted admission.Demand) *admission.Rejection {
	others := admission.Usage{MilliCPU: run.node.used.MilliCPU, Memory: run.node.used.Memory}
	if run.counted {
		others.MilliCPU -= run.demand.MilliCPU
		others.Memory -= run.demand.Memory
	}
	n, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", run.node.Name)
	if !ok {
		return nil
	}
	allocatable := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if q, limited := n.Status.Allocatable[name]; limited {
			allocatable[name] = q
		}
	}
	return admission.Admit(admission.Demand{MilliCPU: wanted.MilliCPU, Memory: wanted.Memory}, &others, allocatable)
}

// recount takes another share of the node than before.
func (r *Reconciler) recount(run *podRun, wanted admission.Demand) {
	counted := run.counted
	run.count(false)
	run.demand = wanted
	run.count(counted)
	r.retryDeferred(run.node)
}

// retryDeferred lets the Pods of a node try again that had no address, when they are
// due, and those whose resize it had no room for.
func (r *Reconciler) retryDeferred(n *nodeState) {
	r.retryAddresses(n)
	var waiting []*podRun
	for name := range n.deferred {
		if run := r.runs[name]; run != nil && run.Resize != nil && run.Resize.Pending != nil {
			waiting = append(waiting, run)
		}
	}
	slices.SortFunc(waiting, func(a, b *podRun) int {
		return resize.Order(resize.Waiting{Pod: a.pod, State: &a.State}, resize.Waiting{Pod: b.pod, State: &b.State})
	})
	for _, run := range waiting {
		run.Resize.Judge = true
		r.cfg.Engine.Poke(r.key(run.name))
	}
}

// actuate tells the runtime what the Pod was given, or looks whether it has done that.
func (r *Reconciler) actuate(ctx context.Context, run *podRun, now time.Time) {
	run.dirty = true
	resize.Actuate(&run.State, run.pod, run, now, run.teller(ctx))
}

// teller tells Events about the Pod as a whole, for a room that has no context.
func (run *podRun) teller(ctx context.Context) func(event.Event) {
	return func(e event.Event) { run.event(ctx, -1, e) }
}

var _ resize.Runtime = (*podRun)(nil)

// Memory implements resize.Runtime.
func (run *podRun) Memory(i int) (used int64, ok bool) {
	p := &run.parts[i]
	if p.process == nil {
		return 0, false
	}
	return run.usage(i, p.process.State().Usage).Memory, true
}

// SetLimits implements resize.Runtime.
func (run *podRun) SetLimits(i int, spec *corev1.Container, now time.Time) {
	p := &run.parts[i]
	p.process.SetMemoryLimit(spec.Resources.Limits.Memory().Value())
	milliCPU := spec.Resources.Limits.Cpu().MilliValue()
	p.process.SetCPULimit(milliCPU)
	if p.stats != nil {
		p.stats.SetLimit(now, milliCPU)
	}
}
