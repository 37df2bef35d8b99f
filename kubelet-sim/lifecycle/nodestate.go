package lifecycle

import (
	"fmt"
	"net/netip"

	"github.com/kubesim-dev/kubesim/kubelet-sim/static"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
)

// nodeState is what the Pods of one node share.
type nodeState struct {
	node.Node
	recorder *engine.Recorder
	// images holds the full names of those that were pulled.
	images map[string]bool
	// netns has the ports of the Pods in the node's own network.
	netns *kernel.Netns
	ips   addresses.Pool
	// short are the Pods that it had no address for.
	short map[types.NamespacedName]bool
	used  admission.Usage
	// deferred are the Pods whose resize there is no room for.
	deferred map[types.NamespacedName]bool
	// pressure is what the node has done about the present one.
	pressure pressure
	// files are its own, with the manifests of its static Pods; written is set when one may
	// have changed, until somebody has looked.
	files   *static.Files
	written bool
}

func newNodeState(n node.Node, recorder *engine.Recorder) (*nodeState, error) {
	cidr, err := netip.ParsePrefix(n.PodCIDR)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: node %q: PodCIDR %q: want for example 10.244.1.0/24: %w", n.Name, n.PodCIDR, err)
	}
	return &nodeState{
		Node: n, recorder: recorder, images: map[string]bool{}, netns: &kernel.Netns{},
		ips: addresses.NewPool(cidr), deferred: map[types.NamespacedName]bool{}, short: map[types.NamespacedName]bool{},
	}, nil
}

// hosts are the file systems of the nodes that somebody has looked at.
func (r *Reconciler) hosts() []*vfs.FS {
	var all []*vfs.FS
	for _, n := range r.cfg.Nodes {
		if host := r.nodes[n.Name].files.Made(); host != nil {
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
