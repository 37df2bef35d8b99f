package lifecycle

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/recovery"
)

// What the kubelet remembers is a note of each Pod and of each node in the engine's
// checkpoint. What programs did is not in it: they are run again, as after a restart without
// a checkpoint, see recover.go, and take their places in the State that was remembered.

var _ engine.Rememberer = (*Reconciler)(nil)

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
		return json.Marshal(recovery.NodeNote{LastIP: n.ips.LastGiven(), Images: n.images, Pressure: n.pressure, Manifests: n.files.Manifests()})
	}
	run := r.runs[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}]
	if run == nil {
		return nil, nil
	}
	n := recovery.PodNote{UID: run.pod.UID, State: run.State, Removed: run.removed, Dirty: run.dirty}
	n.WaitFor(r.waiters.By(run.name))
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
	n, err := recovery.ReadPod(data)
	if err != nil {
		return err
	}
	if !n.Of(pod) {
		return nil // adopt takes over the Pod that has the name now
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
	for _, d := range n.WaitsFor() {
		r.waiters.Add(d, name)
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

// remembered goes on with the State of the note, which the replay has been over.
func (r *podRun) remembered(data []byte) error {
	replayed := r.Containers
	n, err := recovery.ReadPod(data) // anew: the replay has written to what it points to
	if err != nil {
		return err
	}
	r.State = n.State
	r.dirty, r.stirred = n.Dirty, false // what the replay stirred up was told then
	r.AddEphemeral(r.pod)
	if recovery.Settle(&r.State, replayed, r) {
		r.dirty = true
	}
	return nil
}

var _ recovery.Programs = (*podRun)(nil)

// Runs implements recovery.Programs.
func (r *podRun) Runs(i int) bool { return r.parts[i].process != nil }

// Checks implements recovery.Programs.
func (r *podRun) Checks(i, j int) bool { return r.parts[i].checks[j] != nil }

func (r *Reconciler) recallNode(name string, data []byte) error {
	n := r.nodes[name]
	if n == nil {
		return nil // there are fewer nodes now
	}
	note, err := recovery.ReadNode(data)
	if err != nil {
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
