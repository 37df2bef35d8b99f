package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/addresses"
	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/node"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/vfs"
	"github.com/kubesim-dev/kubesim/kubelet-sim/static"
)

// nodeState is what the Pods of one node share.
type nodeState struct {
	node.Node
	recorder *engine.EventRecorder
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
	pressure eviction.Pressure
	// files are its own, with the manifests of its static Pods; written is set when one may
	// have changed, until somebody has looked.
	files   *static.Files
	written bool
}

func newNodeState(n node.Node, recorder *engine.EventRecorder) (*nodeState, error) {
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

// unreachable reports whether a node is off the network
// (v1alpha1.UnreachableAnnotation). Its Pods are left alone then: no step is taken for
// them. When it is back, their programs catch up at the instants at which they would have
// gone on, and the kubelet reports what has become of them.
//
// Deviation: a real kubelet would restart containers on its own in the meantime;
// ours does when it is back. The logs show what was printed until it went.
func (r *Reconciler) unreachable(name string) bool {
	obj, ok := engine.Get[*corev1.Node](r.view, engine.Nodes, "", name)
	return ok && node.Unreachable(obj)
}

// keysOn returns the keys of a node's Pods and of their probes.
func (r *Reconciler) keysOn(name string) []engine.Key {
	var keys []engine.Key
	for _, pod := range engine.List[*corev1.Pod](r.view, engine.Pods, "") {
		if pod.Spec.NodeName != name {
			continue
		}
		pod := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
		keys = append(keys, r.key(pod))
		run := r.runs[pod]
		if run == nil {
			continue
		}
		for i := range run.Containers {
			for _, p := range run.Containers[i].Probes {
				keys = append(keys, r.probeKey(run, i, p.Type))
			}
		}
	}
	return keys
}

// noteWritten notes that a file of a node may have changed.
func (r *Reconciler) noteWritten(n *nodeState) {
	if !n.written {
		n.written = true
		r.written = append(r.written, n)
	}
}

// lookAtManifests is what inotify tells a kubelet: it looks at the nodes whose files
// may have changed in the step that ends. A node whose manifests have gets a step.
func (r *Reconciler) lookAtManifests(now time.Time) {
	if !r.looked {
		r.looked = true
		for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
			r.nodes[name].files.RestoreManifests(now)
		}
	}
	for _, n := range r.written {
		n.written = false
		if n.files.Read(now) {
			r.cfg.Engine.Poke(r.nodeKey(n))
		}
	}
	r.written = r.written[:0]
}

// noteMirror counts a static Pod that runs among its node's, which looks at whether
// it should.
func (r *Reconciler) noteMirror(run *podRun) {
	if podstate.IsMirror(run.pod) {
		unwanted := run.node.files.NoteMirror(run.name)
		if !run.Retired && run.pod.DeletionTimestamp != nil || unwanted {
			r.cfg.Engine.Poke(r.nodeKey(run.node))
		}
	}
}

// outlives reports whether a static Pod stays although its mirror Pod is gone.
func (r *podRun) outlives() bool { return podstate.IsMirror(r.pod) && !r.Retired }

// staticKubelet implements static.Kubelet.
type staticKubelet struct{ r *Reconciler }

func (k staticKubelet) Runs(name types.NamespacedName) (runs, retired bool) {
	run := k.r.runs[name]
	return run != nil, run != nil && run.Retired
}

func (k staticKubelet) Retire(name types.NamespacedName) {
	k.r.runs[name].Retired = true
	k.r.cfg.Engine.Poke(k.r.key(name))
}

func (k staticKubelet) Abandon(ctx context.Context, name types.NamespacedName) {
	if run := k.r.runs[name]; run != nil && podstate.IsMirror(run.pod) {
		k.r.forget(ctx, name, run)
	}
}
