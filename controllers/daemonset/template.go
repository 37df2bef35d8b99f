package daemonset

import (
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/kubernetes/pkg/controller/daemon"
)

// template has what follows from the template of a DaemonSet and the Nodes alone. Each step
// needs it for every Node, and most steps come from a Pod: it is computed once.
type template struct {
	uid        types.UID
	generation int64
	patched    []byte
	verdicts   map[string]verdict
}

// verdict says of a Node whether a DaemonSet is to run a Pod there, and whether a Pod that
// is there may stay.
type verdict struct {
	node      *corev1.Node
	run, stay bool
}

// templateOf returns that of the present generation.
func (r *Reconciler) templateOf(ds *appsv1.DaemonSet) *template {
	key := keyOf(ds.Namespace, ds.Name)
	t, ok := r.templates[key]
	if !ok || t.uid != ds.UID || t.generation != ds.Generation {
		t = &template{uid: ds.UID, generation: ds.Generation, verdicts: map[string]verdict{}}
		r.templates[key] = t
	}
	return t
}

// judge says what holds for a Node. Objects of the View never change: a Node that has
// changed is another object.
func (t *template) judge(ds *appsv1.DaemonSet, node *corev1.Node) verdict {
	if v := t.verdicts[node.Name]; v.node == node {
		return v
	}
	run, stay := daemon.NodeShouldRunDaemonPod(logr.Discard(), node, ds)
	v := verdict{node, run, stay}
	t.verdicts[node.Name] = v
	return v
}

// judgeAll judges all Nodes, and forgets those that are gone.
func (t *template) judgeAll(ds *appsv1.DaemonSet, nodes []*corev1.Node) []verdict {
	all := make([]verdict, len(nodes))
	for i, node := range nodes {
		all[i] = t.judge(ds, node)
	}
	if len(t.verdicts) > len(nodes) {
		clear(t.verdicts)
		for _, v := range all {
			t.verdicts[v.node.Name] = v
		}
	}
	return all
}

// patch returns the strategic merge patch that puts the template into a DaemonSet: what a
// ControllerRevision holds. Source: getPatch in k8s.io/kubernetes pkg/controller/daemon
// v1.37.2. That of StatefulSets writes large numbers in another way.
func (t *template) patch(ds *appsv1.DaemonSet) ([]byte, error) {
	if t.patched != nil {
		return t.patched, nil
	}
	data, err := json.Marshal(&ds.Spec.Template)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields["$patch"] = "replace"
	t.patched, err = json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
	return t.patched, err
}
