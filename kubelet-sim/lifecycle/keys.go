package lifecycle

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
)

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return "lifecycle" }

func (r *Reconciler) key(name types.NamespacedName) engine.Key {
	return engine.Key{Controller: r.Name(), Namespace: name.Namespace, Name: name.Name}
}

func (r *Reconciler) nodeKey(n *nodeState) engine.Key {
	return engine.Key{Controller: r.Name(), Kind: nodeKind, Name: n.Name}
}

// probeKey is the key of a probe of one container.
func (r *Reconciler) probeKey(run *podRun, i int, t prober.Type) engine.Key {
	name := run.name.Name + "/" + run.Containers[i].Name + "/" + strings.ToLower(string(t))
	return engine.Key{Controller: r.Name(), Kind: engine.Part, Namespace: run.name.Namespace, Name: name}
}

// draw derives the numbers of the next instance of container i.
func (r *Reconciler) draw(run *podRun, i int) podstate.Draw {
	c := &run.Containers[i]
	return podstate.NewDraw(r.cfg.Engine.Random(), run.pod, c.Name, c.Attempt())
}

// drawOf returns what derives the numbers of the Pod's instances.
func (r *Reconciler) drawOf(pod *corev1.Pod) func(container string, attempt int32) podstate.Draw {
	return func(container string, attempt int32) podstate.Draw {
		return podstate.NewDraw(r.cfg.Engine.Random(), pod, container, attempt)
	}
}
