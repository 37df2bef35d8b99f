package lifecycle

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// has is the rule of who has an address: a Pod has an address from when its sandbox is ready until it has
// finished or is gone. The kubelet knows that of the Pods that it has met in this run,
// of the others their status tells.
func (r *Reconciler) has(h addresses.Holder, addr netip.Addr) bool {
	if run := r.runs[h.Name]; run != nil && run.pod.UID == h.UID {
		return !run.Finished && !run.pod.Spec.HostNetwork && run.IP == addr.String()
	}
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, h.Name.Namespace, h.Name.Name)
	return ok && podstate.UID(pod) == h.UID && !podutil.IsPodPhaseTerminal(pod.Status.Phase) &&
		!pod.Spec.HostNetwork && pod.Status.PodIP == addr.String()
}

func (r *podRun) holder() addresses.Holder { return addresses.Holder{Name: r.name, UID: r.pod.UID} }

// retryAddresses makes it worth mode auto's time again that Pods of a node look for an
// address: one may have come free.
func (r *Reconciler) retryAddresses(n *nodeState) {
	for _, name := range slices.SortedFunc(maps.Keys(n.short), func(a, b types.NamespacedName) int { return cmp.Compare(a.String(), b.String()) }) {
		run := r.runs[name]
		if run == nil || run.Finished || run.Sandbox != podstate.SandboxStarting {
			delete(n.short, name)
			continue
		}
		run.SandboxTries = 0
		r.cfg.Engine.Poke(r.key(name))
	}
}

// takeAddress gives the Pod an address of its node.
func (r *Reconciler) takeAddress(run *podRun) bool {
	addr, ok := run.node.ips.Take(run.holder(), r.has)
	if ok {
		run.IP, run.SandboxTries = addr.String(), 0
		delete(run.node.short, run.name)
		r.cfg.Engine.Touch(r.nodeKey(run.node))
	}
	return ok
}
