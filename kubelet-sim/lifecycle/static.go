package lifecycle

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

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
