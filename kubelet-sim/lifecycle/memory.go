package lifecycle

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/static"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// What the kubelet remembers outlives the process as a checkpoint of the engine:
// of each Pod its podState, of each node its images and where its addresses are.
// What programs did is not in it: they are run again, as after a restart without
// a checkpoint, and take their places in the state that was remembered.

var _ engine.Rememberer = (*Reconciler)(nil)

// podNote is what is remembered of a Pod.
type podNote struct {
	UID     types.UID
	State   podstate.State
	Removed bool       `json:",omitempty"`
	Dirty   bool       `json:",omitempty"`
	Waits   []waitNote `json:",omitempty"`
}

// waitNote is an object that a Pod waits for.
type waitNote struct {
	Resource        engine.Resource
	Namespace, Name string
}

// nodeNote is what is remembered of a node.
type nodeNote struct {
	LastIP   netip.Addr
	Images   map[string]bool
	Pressure pressure `json:",omitzero"`
	// Manifests are the files of its static Pods.
	Manifests map[string]static.Manifest `json:",omitempty"`
}

// nodeKind is the Kind of the keys of nodes.
const nodeKind = "nodes"

// Remember implements engine.Rememberer.
func (r *Reconciler) Remember(key engine.Key) ([]byte, error) {
	switch key.Kind {
	case engine.Part: // of a probe, whose state is the Pod's
		return nil, nil
	case nodeKind:
		n := r.nodes[key.Name]
		if n == nil { // the cluster was started again with fewer nodes
			return nil, nil
		}
		return json.Marshal(nodeNote{n.ips.LastGiven(), n.images, n.pressure, n.files.Manifests()})
	}
	run := r.runs[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}]
	if run == nil {
		return nil, nil
	}
	n := podNote{UID: run.pod.UID, State: run.State, Removed: run.removed, Dirty: run.dirty}
	for _, d := range r.waiters.By(run.name) {
		n.Waits = append(n.Waits, waitNote{d.Resource, d.Name.Namespace, d.Name.Name})
	}
	return json.Marshal(n)
}

// Recall implements engine.Rememberer.
func (r *Reconciler) Recall(_ context.Context, key engine.Key, data []byte, now time.Time) error {
	if key.Kind == nodeKind {
		return r.recallNode(key.Name, data)
	}
	name := types.NamespacedName{Namespace: key.Namespace, Name: key.Name}
	pod, ok := engine.Get[*corev1.Pod](r.view, engine.Pods, name.Namespace, name.Name)
	if !ok || r.nodes[pod.Spec.NodeName] == nil {
		return nil
	}
	var n podNote
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	if more := len(podstate.New(pod, now).Containers) - len(n.State.Containers); n.UID != podstate.UID(pod) || more < 0 || more > len(pod.Spec.EphemeralContainers) {
		return nil // another Pod of the name, which adopt takes over
	}
	n.State.AddEphemeral(pod)
	r.takeStock()
	run := r.newRun(name, pod, r.nodes[pod.Spec.NodeName], now)
	r.runs[name] = run
	run.State, run.removed, run.dirty = n.State, n.Removed, n.Dirty
	run.take(pod)
	pod = run.pod
	r.noteMirror(run)
	r.moveIn(run)
	for _, w := range n.Waits {
		r.waiters.Add(depend.Object{Resource: w.Resource, Name: types.NamespacedName{Namespace: w.Namespace, Name: w.Name}}, name)
	}
	run.rememberLogs()
	if run.Finished && run.Reclaimed {
		r.cfg.Logs.SetPod(run.shown(now))
		return nil
	}
	if run.Finished { // not: its phase is terminal, which others may have said or it could not say yet
		r.cfg.Logs.Recallable(run.shown(now), func() { r.wantRecall(name) })
		return nil
	}
	r.cfg.Logs.SetPod(pod)
	if run.Away && !run.AwaySince.IsZero() {
		now = run.AwaySince // it was left alone from then on
	}
	r.replay(run, now)
	return run.remembered(data)
}

// remembered puts the state of the note back, which the replay has been over, and
// the programs that it has started into it.
func (r *podRun) remembered(data []byte) error {
	replayed := r.Containers
	var n podNote
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	r.State = n.State
	r.dirty, r.stirred = n.Dirty, false // what the replay stirred up was told then
	r.AddEphemeral(r.pod)
	for i := range r.Containers {
		c := &r.Containers[i]
		switch {
		case r.parts[i].process != nil:
			c.WakeAt = replayed[i].WakeAt
		case c.Activity == podstate.Running: // it could not be started again
			*c, r.dirty = replayed[i], true
		}
		for j := range c.Probes { // a check that could not be begun again begins later
			if r.parts[i].process == nil || r.parts[i].checks[j] == nil {
				c.Probes[j].Deadline = time.Time{}
			}
		}
	}
	return nil
}

func (r *Reconciler) recallNode(name string, data []byte) error {
	n := r.nodes[name]
	if n == nil {
		return nil // there are fewer nodes now
	}
	var note nodeNote
	if err := json.Unmarshal(data, &note); err != nil {
		return err
	}
	n.ips.Resume(note.LastIP)
	for image := range note.Images {
		n.images[image] = true
	}
	n.pressure = note.Pressure
	n.files.Recall(note.Manifests)
	return nil
}
