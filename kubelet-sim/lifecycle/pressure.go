package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
)

const faults engine.Resource = "faults." + v1alpha1.GroupName

// evictionPeriod is how often a kubelet looks at what its node lacks, and evicts one
// Pod. Unit: virtual time. Source: evictionMonitoringPeriod in k8s.io/kubernetes
// pkg/kubelet v1.37.2.
const evictionPeriod = 10 * time.Second

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
	if next := n.pressure.At.Add(evictionPeriod); n.pressure.Evicted > 0 && now.Before(next) {
		return engine.Routine(next)
	}
	if f, ok := engine.Get[*v1alpha1.Fault](r.view, faults, "", cause); ok && f.Spec.Pressure != nil && f.Spec.Pressure.Evictions != nil &&
		n.pressure.Evicted >= *f.Spec.Pressure.Evictions {
		return engine.Wake{}
	}
	if victim := r.victim(n, lacks); victim != nil {
		victim.Evicted = lowMessage(obj, lacks)
		n.pressure.Evicted, n.pressure.At = n.pressure.Evicted+1, now
		n.event(ctx, obj, event.Reclaiming(lacks))
		r.cfg.Engine.Poke(r.key(victim.name))
	}
	return engine.Routine(now.Add(evictionPeriod))
}

// victim returns the Pod of a node that is to go first: one that uses more than it
// requests, which every Pod without a request does; then by priority. Source:
// rankMemoryPressure and rankDiskPressureFunc in k8s.io/kubernetes pkg/kubelet/eviction
// v1.37.2.
//
// Deviation: how much each Pod uses is not looked at; of equals the first by name goes.
func (r *Reconciler) victim(n *nodeState, lacks corev1.ResourceName) *podRun {
	var runs []*podRun
	for _, run := range r.runs {
		if run.node == n && !run.Finished && run.Stop == nil && run.Evicted == "" && !kubelettypes.IsCriticalPod(run.pod) {
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return nil
	}
	modest := func(run *podRun) int {
		requests := resourcehelper.PodRequests(run.pod, resourcehelper.PodResourcesOptions{})
		return requests.Name(lacks, resource.BinarySI).Sign()
	}
	return slices.MinFunc(runs, func(a, b *podRun) int {
		return cmp.Or(cmp.Compare(modest(a), modest(b)),
			cmp.Compare(schedulinghelper.PodPriority(a.pod), schedulinghelper.PodPriority(b.pod)), cmp.Compare(a.name.String(), b.name.String()))
	})
}

// lowMessage is the message of an eviction. The thresholds are the kubelet's own:
// memory.available<100Mi and nodefs.available<10%; half of that is there. Source:
// evictionMessage and nodeLowMessageFmt in k8s.io/kubernetes pkg/kubelet/eviction
// v1.37.2.
func lowMessage(obj *corev1.Node, lacks corev1.ResourceName) string {
	threshold := int64(100 << 20)
	if lacks == corev1.ResourceEphemeralStorage {
		threshold = obj.Status.Capacity.StorageEphemeral().Value() / 10
	}
	return fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", lacks,
		resource.NewQuantity(threshold, resource.BinarySI), resource.NewQuantity(threshold/2, resource.BinarySI))
}
