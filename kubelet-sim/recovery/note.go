// Package recovery is what survives of a Pod when what ran it is gone: the process of the
// server, or the machine of the Pod's node.
//
// Invariant: nothing here runs or writes. A note is what the engine's checkpoint keeps; a
// Pod without a note has its State made anew from its status. What the kubelet did for the
// Pod is told as Steps, which package lifecycle takes once more: so programs come back, with
// the same seeds and at the same virtual times, and then Settle puts them into the State that
// was remembered. A reboot is the opposite: programs are gone for good, and the State says so.
package recovery

import (
	"encoding/json"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/depend"
	"github.com/kubesim-dev/kubesim/kubelet-sim/eviction"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/static"
)

// PodNote is what is remembered of a Pod.
type PodNote struct {
	UID   types.UID
	State podstate.State
	// Removed: the API was told that the Pod may go. Dirty: its status has to be written.
	Removed bool `json:",omitempty"`
	Dirty   bool `json:",omitempty"`
	// Waits are the objects that it waits for.
	Waits []waitNote `json:",omitempty"`
}

// waitNote is an object that a Pod waits for.
type waitNote struct {
	Resource        engine.Resource
	Namespace, Name string
}

// Of reports whether the note is of this Pod, and not of another one of its name: the UIDs
// are the same, and no container has come since but ephemeral ones.
func (n *PodNote) Of(pod *corev1.Pod) bool {
	more := len(pod.Spec.InitContainers) + len(pod.Spec.Containers) + len(pod.Spec.EphemeralContainers) - len(n.State.Containers)
	return n.UID == podstate.UID(pod) && more >= 0 && more <= len(pod.Spec.EphemeralContainers)
}

// WaitFor notes the objects that the Pod waits for.
func (n *PodNote) WaitFor(objects []depend.Object) {
	for _, o := range objects {
		n.Waits = append(n.Waits, waitNote{o.Resource, o.Name.Namespace, o.Name.Name})
	}
}

// WaitsFor are those objects.
func (n *PodNote) WaitsFor() []depend.Object {
	var objects []depend.Object
	for _, w := range n.Waits {
		objects = append(objects, depend.Object{Resource: w.Resource, Name: types.NamespacedName{Namespace: w.Namespace, Name: w.Name}})
	}
	return objects
}

// ReadPod reads the note of a Pod.
func ReadPod(data []byte) (PodNote, error) {
	var n PodNote
	err := json.Unmarshal(data, &n)
	return n, err
}

// NodeNote is what is remembered of a node.
type NodeNote struct {
	// LastIP is the address that was given out last.
	LastIP   netip.Addr
	Images   map[string]bool
	Pressure eviction.Pressure `json:",omitzero"`
	// Manifests are the files of its static Pods.
	Manifests map[string]static.Manifest `json:",omitempty"`
}

// ReadNode reads the note of a node.
func ReadNode(data []byte) (NodeNote, error) {
	var n NodeNote
	err := json.Unmarshal(data, &n)
	return n, err
}
