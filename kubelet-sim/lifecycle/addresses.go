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
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Who has an address is not kept: it follows from the Pods, by one rule, Reconciler.has.
// A pool knows only to whom it gave each address last. So there is nothing to give
// back, and nothing that a restart could take for what it is not.

// holder is a Pod that was given an address.
type holder struct {
	name types.NamespacedName
	uid  types.UID
}

// ipPool hands out the addresses of a node in turn, so that one that is free
// again is used as late as possible. Source: the round-robin of CNI's
// host-local plugin.
type ipPool struct {
	cidr          netip.Prefix
	gateway, last netip.Addr
	// given has the Pod that got an address last, whether it has it still or not.
	given map[netip.Addr]holder
}

func newIPPool(cidr netip.Prefix) ipPool {
	gateway := cidr.Masked().Addr().Next()
	return ipPool{cidr: cidr.Masked(), gateway: gateway, last: gateway, given: map[netip.Addr]holder{}}
}

// take gives h the next address that nobody has, or returns false if there is none.
func (p *ipPool) take(h holder, has func(holder, netip.Addr) bool) (netip.Addr, bool) {
	addr := p.last
	for range 1 << (32 - p.cidr.Bits()) {
		addr = addr.Next()
		if !p.cidr.Contains(addr) || !p.cidr.Contains(addr.Next()) {
			addr = p.cidr.Addr() // the last one is the broadcast address
			continue
		}
		if given, ok := p.given[addr]; addr != p.gateway && !(ok && has(given, addr)) {
			p.given[addr], p.last = h, addr
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// note enters a Pod that may have an address from before the server was started.
// What is no address of the pool is ignored.
func (p *ipPool) note(h holder, ip string, has func(holder, netip.Addr) bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !p.cidr.Contains(addr) || !has(h, addr) {
		return
	}
	if given, ok := p.given[addr]; !ok || !has(given, addr) {
		p.given[addr] = h
	}
}

// has is the rule: a Pod has an address from when its sandbox is ready until it has
// finished or is gone. The kubelet knows that of the Pods that it has met in this run,
// of the others their status tells.
func (r *Reconciler) has(h holder, addr netip.Addr) bool {
	if run := r.runs[h.name]; run != nil && run.pod.UID == h.uid {
		return !run.Finished && !run.pod.Spec.HostNetwork && run.IP == addr.String()
	}
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, h.name.Namespace, h.name.Name)
	return ok && podstate.UID(pod) == h.uid && !podutil.IsPodPhaseTerminal(pod.Status.Phase) &&
		!pod.Spec.HostNetwork && pod.Status.PodIP == addr.String()
}

func (r *podRun) holder() holder { return holder{r.name, r.pod.UID} }

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
	addr, ok := run.node.ips.take(run.holder(), r.has)
	if ok {
		run.IP, run.SandboxTries = addr.String(), 0
		delete(run.node.short, run.name)
		r.cfg.Engine.Touch(r.nodeKey(run.node))
	}
	return ok
}
