package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/decide"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// allocate gives the Pod the resources that its spec asks for, if the node has
// them. Source: manager.handlePodResourcesResize in k8s.io/kubernetes
// pkg/kubelet/allocation v1.37.2.
func (r *Reconciler) allocate(ctx context.Context, run *podRun, now time.Time) {
	z, pod := run.Resize, run.desired
	z.Judge, z.RetryAt, run.dirty = false, now.Add(resizeRetry), true
	wanted := admission.DemandOf(pod)
	if why := r.roomFor(run, wanted); why != nil {
		setPending(z, why.Message, pod.Generation, now, func() {
			run.event(ctx, -1, event.ResizeDeferred(pod, why.Reason, why.Message))
		})
		run.node.deferred[run.name] = true
		return
	}
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Allocated != nil {
			c.BackOff = podstate.BackOff{} // upstream's GetBackoffKey has the resources in it
			if c.Actual == nil {
				c.Actual = c.Allocated
			}
		}
		c.Allocated = nil
	}
	run.pod = pod
	delete(run.node.deferred, run.name)
	r.recount(run, wanted)
	z.Pending, z.Told, z.LookAt = nil, false, now
	z.InProgress = podstate.ResizeCondition(corev1.PodResizeInProgress, nil, "", "", pod.Generation, now)
	run.event(ctx, -1, event.ResizeStarted(pod))
}

// setPending says why a resize waits; tell is called if that is new.
func setPending(z *podstate.Resizing, message string, generation int64, now time.Time, tell func()) {
	old := z.Pending
	z.Pending = podstate.ResizeCondition(corev1.PodResizePending, old, corev1.PodReasonDeferred, message, generation, now)
	if old == nil || old.ObservedGeneration != generation {
		tell()
	}
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
// due, and those whose resize it had no room for:
// those of higher priority first, then those that have waited longer. Source:
// manager.sortPendingResizes in k8s.io/kubernetes pkg/kubelet/allocation v1.37.2.
func (r *Reconciler) retryDeferred(n *nodeState) {
	r.retryAddresses(n)
	var waiting []*podRun
	for name := range n.deferred {
		if run := r.runs[name]; run != nil && run.Resize != nil && run.Resize.Pending != nil {
			waiting = append(waiting, run)
		}
	}
	slices.SortFunc(waiting, func(a, b *podRun) int {
		return cmp.Or(
			cmp.Compare(corev1helpers.PodPriority(b.pod), corev1helpers.PodPriority(a.pod)),
			a.Resize.Pending.LastTransitionTime.Compare(b.Resize.Pending.LastTransitionTime.Time),
			cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name),
		)
	})
	for _, run := range waiting {
		run.Resize.Judge = true
		r.cfg.Engine.Poke(r.key(run.name))
	}
}

// actuate tells the runtime what the Pod was given, or looks whether it has done
// that.
func (r *Reconciler) actuate(ctx context.Context, run *podRun, now time.Time) {
	z := run.Resize
	run.dirty = true
	if !z.Told {
		if err := run.checkMemory(); err != nil {
			run.failResize(ctx, err, now)
			return
		}
		run.tellRuntime(now)
		z.Told, z.LookAt = true, now.Add(decide.SyncDelay)
		return
	}
	z.LookAt = now.Add(decide.SyncDelay)
	for i := range run.Containers {
		if c := &run.Containers[i]; c.Actual != nil {
			if c.Unhealthy == podstate.ResizeRestart && c.Activity == podstate.Running || c.Killed {
				return // it has not started again yet
			}
			c.Actual = nil
		}
	}
	generation := z.InProgress.ObservedGeneration
	z.InProgress = nil
	run.EndResize()
	run.event(ctx, -1, event.ResizeCompleted(run.pod, generation))
}

// tellRuntime gives running containers their new limits, or lets them end where
// their policy says so.
func (run *podRun) tellRuntime(now time.Time) {
	for i := range run.Containers {
		c, spec, part := &run.Containers[i], run.Spec(run.pod, i), &run.parts[i]
		switch {
		case c.Actual == nil:
		case part.process == nil:
			c.Actual = nil // it starts with what it was given
		case podstate.NeedsRestart(spec, c.Actual):
			c.Unhealthy = podstate.ResizeRestart
		default:
			part.process.SetMemoryLimit(spec.Resources.Limits.Memory().Value())
			if part.stats != nil {
				part.stats.SetLimit(now, spec.Resources.Limits.Cpu().MilliValue())
			}
		}
	}
}

// checkMemory refuses limits of memory below what is used. Source:
// validateMemoryResizeAction in k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func (run *podRun) checkMemory() error {
	var errs []error
	var podUsage int64
	lowered := false
	for i := range run.Containers {
		c, spec, part := &run.Containers[i], run.Spec(run.pod, i), &run.parts[i]
		if part.process == nil {
			continue
		}
		used := run.usage(i, part.process.State().Usage).Memory
		podUsage += used
		if c.Actual == nil || podstate.NeedsRestart(spec, c.Actual) || !podstate.LowersMemory(spec, c.Actual) {
			continue
		}
		lowered = true
		if limit := spec.Resources.Limits.Memory().Value(); used >= limit {
			errs = append(errs, fmt.Errorf("attempting to set container %q memory limit (%d) below current usage (%d)", c.Name, limit, used))
		}
	}
	if limit := podstate.Restricted(run.pod); lowered && limit > 0 && podUsage >= limit {
		errs = slices.Insert(errs, 0, fmt.Errorf("attempting to set pod memory limit (%d) below current usage (%d)", limit, podUsage))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("cannot decrease memory limits: %w", utilerrors.NewAggregate(errs))
}

// failResize says that the runtime cannot do what the Pod was given, which is tried
// again.
func (run *podRun) failResize(ctx context.Context, err error, now time.Time) {
	z := run.Resize
	old := z.InProgress
	z.InProgress = podstate.ResizeCondition(corev1.PodResizeInProgress, old, corev1.PodReasonError, err.Error(), old.ObservedGeneration, now)
	z.LookAt = now.Add(resizeErrorRetry)
	if old.Reason != corev1.PodReasonError || old.Message != err.Error() {
		run.event(ctx, -1, event.ResizeFailed(run.pod, old.ObservedGeneration, err))
	}
}

// resizeRetry is how long after a refused resize the kubelet looks again, if
// nothing has freed resources before; resizeErrorRetry is for one that the runtime
// cannot carry out. Unit: virtual time. Source: retryDelay in
// k8s.io/kubernetes pkg/kubelet/allocation, and
// backOffPeriod in pkg/kubelet.
const (
	resizeRetry      = 3 * time.Minute
	resizeErrorRetry = 10 * time.Second
)
