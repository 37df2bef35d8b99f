package lifecycle

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
	"github.com/kubesim-dev/kubesim/kubelet-sim/status"
	"github.com/kubesim-dev/kubesim/kubelet-sim/stream"
)

// Follower is told what the kubelets and the containers do, in the order in which
// they do it, as a timeline shows it. It is called on the engine's goroutine and must
// not change anything. It is for clusters that are not restarted: what runs again
// then is told again.
type Follower interface {
	// Event: the kubelet reports an Event, also one that the API would leave out
	// because there were many. The container is empty if it is about the whole Pod.
	Event(pod *corev1.Pod, container, reason, message string)
	// Attempt: a script runs a container, from now on as play says.
	Attempt(pod *corev1.Pod, container string, play *script.Play)
	// Step: the container takes a step of its script.
	Step(pod *corev1.Pod, container string, at time.Time, step *v1alpha1.Step)
	// Output: the container has printed something.
	Output(pod *corev1.Pod, container string, chunk kernel.Chunk)
	// Ended: the container has.
	Ended(pod *corev1.Pod, container string, end *corev1.ContainerStateTerminated)
}

// onStep is what container i calls before each step of its script, nil for nothing.
func (r *podRun) onStep(i int) func(time.Time, *v1alpha1.Step) {
	if r.follower == nil {
		return nil
	}
	return func(at time.Time, step *v1alpha1.Step) { r.follower.Step(r.pod, r.Containers[i].Name, at, step) }
}

// tellEnd tells that the instance of container i has ended.
func (r *podRun) tellEnd(i int) {
	if r.follower != nil {
		r.follower.Ended(r.pod, r.Containers[i].Name, status.Terminated(r.Containers[i].Current))
	}
}

// outputOf is where container i prints, beside its log.
func (r *podRun) outputOf(i int) func(kernel.Chunk) {
	log := r.parts[i].log
	return func(chunk kernel.Chunk) {
		log.Append(chunk.At, chunk.Stderr, chunk.Data)
		if r.follower != nil {
			r.follower.Output(r.pod, r.Containers[i].Name, chunk)
		}
	}
}

// onStepAfter and outputAfter are onStep and outputOf for an instance that is run
// again: its Follower has heard already what it did until now.
func (r *podRun) onStepAfter(i int, in *podstate.Instance, now time.Time) func(time.Time, *v1alpha1.Step) {
	tell := r.onStep(i)
	if tell == nil || in.Exited {
		return nil
	}
	return func(at time.Time, step *v1alpha1.Step) {
		if at.After(now) {
			tell(at, step)
		}
	}
}

func (r *podRun) outputAfter(i int, log *stream.Log, in *podstate.Instance, now time.Time) func(kernel.Chunk) {
	return func(chunk kernel.Chunk) {
		log.Append(chunk.At, chunk.Stderr, chunk.Data)
		if r.follower != nil && !in.Exited && chunk.At.After(now) {
			r.follower.Output(r.pod, r.Containers[i].Name, chunk)
		}
	}
}

// event records what happened to container i, or to the Pod if i is -1.
func (r *podRun) event(ctx context.Context, i int, e event.Event) {
	ref := engine.Reference(r.pod, "v1", "Pod")
	if i >= 0 {
		list := "containers"
		switch r.Containers[i].Role {
		case podstate.Initializer, podstate.Sidecar:
			list = "initContainers"
		case podstate.Ephemeral:
			list = "ephemeralContainers"
		}
		ref.FieldPath = "spec." + list + "{" + r.Containers[i].Name + "}"
	}
	r.node.recorder.Event(ctx, ref, e.Type, e.Reason, "%s", e.Message)
	if r.follower != nil {
		container := ""
		if i >= 0 {
			container = r.Containers[i].Name
		}
		r.follower.Event(r.pod, container, e.Reason, e.Message)
	}
}

// event records what happened to a node.
func (n *nodeState) event(ctx context.Context, obj *corev1.Node, e event.Event) {
	n.recorder.Event(ctx, &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: obj.UID}, e.Type, e.Reason, "%s", e.Message)
}
