package lifecycle

import (
	"cmp"
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

const faults engine.Resource = "faults." + v1alpha1.GroupName

// pressure is what a node has done about one: Cause is its annotation's value, At the
// instant of the last eviction.
type pressure struct {
	Cause   string
	Evicted int32
	At      time.Time
}

// reconcileNode brings a node's static Pods forward, and evicts a Pod if it is under
// pressure.
func (r *Reconciler) reconcileNode(ctx context.Context, name string, now time.Time) engine.Wake {
	obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name)
	n := r.nodes[name]
	if !ok || n == nil || node.Unreachable(obj) {
		return engine.Wake{}
	}
	return r.mirrors.Sync(ctx, n.files, obj, now, func(e event.Event) { n.event(ctx, obj, e) }).Sooner(r.relieve(ctx, n, obj, now))
}

// relieve evicts a Pod of a node that is under pressure.
func (r *Reconciler) relieve(ctx context.Context, n *nodeState, obj *corev1.Node, now time.Time) engine.Wake {
	if node.Pressed(obj) == "" {
		n.pressure = pressure{}
		return engine.Wake{}
	}
	lacks := node.Pressed(obj)
	cause := cmp.Or(obj.Annotations[v1alpha1.MemoryPressureAnnotation], obj.Annotations[v1alpha1.DiskPressureAnnotation])
	if n.pressure.Cause != cause {
		n.pressure = pressure{Cause: cause}
	}
	if next := n.pressure.At.Add(eviction.Period); n.pressure.Evicted > 0 && now.Before(next) {
		return engine.Routine(next)
	}
	if f, ok := engine.Get[*v1alpha1.Fault](r.view, faults, "", cause); ok && f.Spec.Pressure != nil && f.Spec.Pressure.Evictions != nil &&
		n.pressure.Evicted >= *f.Spec.Pressure.Evictions {
		return engine.Wake{}
	}
	if victim := r.victim(n, lacks); victim != nil {
		victim.Evicted = eviction.LowMessage(obj, lacks)
		n.pressure.Evicted, n.pressure.At = n.pressure.Evicted+1, now
		n.event(ctx, obj, event.Reclaiming(lacks))
		r.cfg.Engine.Poke(r.key(victim.name))
	}
	return engine.Routine(now.Add(eviction.Period))
}

// victim returns the Pod of a node that is to go first, nil if there is none.
func (r *Reconciler) victim(n *nodeState, lacks corev1.ResourceName) *podRun {
	var runs []*podRun
	var list []eviction.Candidate
	for _, run := range r.runs {
		if run.node == n && !run.Finished && run.Stop == nil && run.Evicted == "" && !kubelettypes.IsCriticalPod(run.pod) {
			requests := resourcehelper.PodRequests(run.pod, resourcehelper.PodResourcesOptions{})
			runs = append(runs, run)
			list = append(list, eviction.Candidate{
				Name: run.name.String(), Priority: schedulinghelper.PodPriority(run.pod), Requests: requests.Name(lacks, resource.BinarySI).Sign() > 0,
			})
		}
	}
	if first := eviction.FirstUnderPressure(list); first >= 0 {
		return runs[first]
	}
	return nil
}
