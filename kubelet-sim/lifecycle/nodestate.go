package lifecycle

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stats"
)

// nodeState is what the Pods of one node share.
type nodeState struct {
	node.Node
	recorder *engine.Recorder
	// dns is the cluster's name server.
	dns string
	// images holds the full names of those that were pulled.
	images map[string]bool
	host   *vfs.FS
	// netns has the ports of the Pods in the node's own network.
	netns *kernel.Netns
	ips   ipPool
	// short are the Pods that it had no address for.
	short map[types.NamespacedName]bool
	used  admission.Usage
	// deferred are the Pods whose resize there is no room for.
	deferred map[types.NamespacedName]bool
	// pressure is what the node has done about the present one.
	pressure pressure
	// static are its static Pods.
	static staticPods
	// watch is told when a file of host may have changed; written is set until
	// somebody has looked.
	watch   func()
	written bool
	// shared pays for its files.
	shared stats.Part
}

func newNodeState(n node.Node, dns string, recorder *engine.Recorder) (*nodeState, error) {
	cidr, err := netip.ParsePrefix(n.PodCIDR)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: node %q: PodCIDR %q: want for example 10.244.1.0/24: %w", n.Name, n.PodCIDR, err)
	}
	return &nodeState{
		Node: n, dns: dns, recorder: recorder, images: map[string]bool{}, netns: &kernel.Netns{},
		ips: newIPPool(cidr), deferred: map[types.NamespacedName]bool{}, short: map[types.NamespacedName]bool{},
		static: staticPods{mirrors: map[types.NamespacedName]bool{}},
	}, nil
}

// hostFS is the node's own file system, which is made when somebody first looks at
// it.
func (n *nodeState) hostFS(now time.Time) *vfs.FS {
	if n.host == nil {
		n.host = nodeFS(n.dns, now)
		n.host.Watch = n.watch
		n.host.Charge(n.shared)
		n.static.restore(n.host, now)
	}
	return n.host
}

// hosts are the file systems of the nodes that somebody has looked at.
func (r *Reconciler) hosts() []*vfs.FS {
	var all []*vfs.FS
	for _, n := range r.cfg.Nodes {
		if host := r.nodes[n.Name].host; host != nil {
			all = append(all, host)
		}
	}
	return all
}

// Images returns what a node has pulled, as its status lists it: the largest
// first. It must be called on the engine's goroutine.
func (r *Reconciler) Images(name string) []corev1.ContainerImage {
	n := r.nodes[name]
	if n == nil {
		return nil
	}
	return r.images.List(n.images)
}
