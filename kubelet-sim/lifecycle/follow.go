package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// Follower is told what containers do when they do it, as a timeline shows it. It is
// called on the engine's goroutine and must not change anything. What a restart runs
// once more is not told again.
type Follower interface {
	// Attempt: a script runs a container of pod, from now on as play says.
	Attempt(pod *corev1.Pod, container string, play *script.Play)
	// Step: the container takes a step of its script.
	Step(pod *corev1.Pod, container string, at time.Time, step *v1alpha1.Step)
	// Output: the container has printed something.
	Output(pod *corev1.Pod, container string, chunk kernel.Chunk)
}

// onStep is what container i calls before each step of its script, nil for nothing.
func (r *Reconciler) onStep(run *podRun, i int) func(time.Time, *v1alpha1.Step) {
	if r.cfg.Follower == nil {
		return nil
	}
	return func(at time.Time, step *v1alpha1.Step) {
		r.cfg.Follower.Step(run.pod, run.Containers[i].Name, at, step)
	}
}

// outputOf is where container i prints, beside its log.
func (r *Reconciler) outputOf(run *podRun, i int) func(kernel.Chunk) {
	log, follower := run.parts[i].log, r.cfg.Follower
	return func(chunk kernel.Chunk) {
		log.Append(chunk.At, chunk.Stderr, chunk.Data)
		if follower != nil {
			follower.Output(run.pod, run.Containers[i].Name, chunk)
		}
	}
}
