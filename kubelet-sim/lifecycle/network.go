package lifecycle

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/network"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// podsByIP is an index of the Pods that have a sandbox of their own.
const podsByIP = "lifecycle/podIP"

func indexIPs(view *engine.View) {
	view.Index(engine.Pods, podsByIP, func(o engine.Object) []string {
		pod := o.(*corev1.Pod)
		if pod.Status.PodIP == "" || pod.Spec.HostNetwork || podutil.IsPodPhaseTerminal(pod.Status.Phase) {
			return nil
		}
		return []string{pod.Status.PodIP}
	})
}

// Netns returns the ports of a Pod that runs on a simulated node, nil if there is
// none. It must be called on the engine's goroutine.
func (r *Reconciler) Netns(namespace, name string) *kernel.Netns {
	run := r.runs[types.NamespacedName{Namespace: namespace, Name: name}]
	if run == nil || run.Sandbox != podstate.SandboxReady {
		return nil
	}
	return run.netns
}

// nodeAt returns the simulated node of an address, nil if there is none.
func (r *Reconciler) nodeAt(addr netip.Addr) *nodeState {
	for _, n := range r.cfg.Nodes {
		if n.IP == addr.String() {
			return r.nodes[n.Name]
		}
	}
	return nil
}

// IsNode reports whether an address is a simulated node's.
func (r *Reconciler) IsNode(addr netip.Addr) bool { return r.nodeAt(addr) != nil }

// At returns the ports at an address: a node's, or a running Pod's. reachable is
// false where the address is a Pod's, or may be, but its node is off the network.
func (r *Reconciler) At(addr netip.Addr) (ns *kernel.Netns, reachable bool) {
	if n := r.nodeAt(addr); n != nil {
		return n.netns, !r.unreachable(n.Name)
	}
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByIP, addr.String()) {
		if run := r.runs[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}]; run != nil && run.Sandbox == podstate.SandboxReady {
			return run.netns, !r.unreachable(run.node.Name)
		}
	}
	return nil, true
}

// podNetwork is the network as one Pod sees it.
type podNetwork struct {
	r   *Reconciler
	run *podRun
}

var _ kernel.Network = podNetwork{}

// Query implements kernel.Network.
func (n podNetwork) Query(name string, t kernel.RecordType) kernel.Answer {
	return n.r.network.Query(name, t)
}

// Route implements kernel.Network.
func (n podNetwork) Route(to netip.AddrPort, draw uint64) kernel.Route {
	from, err := netip.ParseAddr(n.run.IP)
	if err != nil || n.r.unreachable(n.run.node.Name) && to.Addr() != from {
		wait, err := network.NoPod(false)
		return kernel.Route{Wait: wait, Err: err}
	}
	if to.Addr() == from {
		return kernel.Route{From: from, To: n.run.netns, Port: int32(to.Port())}
	}
	route := n.r.Route(from, to, draw)
	route.Past = n.run.replaying
	return route
}

// Route finds the way from an address of a node or a Pod to another one; see
// kernel.Network. It must be called on the engine's goroutine.
func (r *Reconciler) Route(from netip.Addr, to netip.AddrPort, draw uint64) kernel.Route {
	server, wait, err := r.network.Resolve(from, to, draw, r.IsNode)
	if err != nil {
		return kernel.Route{Wait: wait, Err: err}
	}
	ns, reachable := r.At(server.Addr())
	if ns == nil || !reachable {
		wait, err := network.NoPod(reachable && r.inPodNetwork(server.Addr()))
		return kernel.Route{Wait: wait, Err: err}
	}
	return kernel.Route{From: from, To: ns, Port: int32(server.Port()), Wait: wait}
}

// Alive implements kernel.Network: Services do not answer pings.
func (n podNetwork) Alive(addr netip.Addr) bool {
	ns, reachable := n.r.At(addr)
	return ns != nil && reachable
}

// inPodNetwork reports whether an address is for a Pod of some node.
func (r *Reconciler) inPodNetwork(addr netip.Addr) bool {
	return slices.ContainsFunc(r.cfg.Nodes, func(n node.Node) bool { return r.nodes[n.Name].ips.Contains(addr) })
}

// woken notes that container i has work from an instant on, see
// program.Spec.Woken.
func (r *Reconciler) woken(run *podRun, i int, at time.Time) {
	c := &run.Containers[i]
	if run.parts[i].process == nil || !c.WakeAt.IsZero() && !at.Before(c.WakeAt) {
		return
	}
	c.WakeAt = at
	r.cfg.Engine.Poke(r.key(run.name))
}

// has is the rule by which Pods have addresses: a Pod has one from when its sandbox is ready
// until it has finished or is gone. The kubelet knows that of the Pods that it has met in this run,
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
