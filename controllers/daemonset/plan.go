package daemonset

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// plan is what a step does, in this order, and when to look again.
type plan struct {
	History history
	// Collided says that another revision has the name of the new one. Then nothing but
	// the status is written, with one more collision, which gives another name.
	Collided bool
	Events   []event
	// Template is that of new Pods, which are created on the Nodes of these names.
	Template *corev1.PodTemplateSpec
	Create   []string
	Delete   []*corev1.Pod
	// Refusal is why there is no rollout.
	Refusal error
	// Trim are revisions that are deleted if all went well so far.
	Trim []*appsv1.ControllerRevision
	// Status is written whether all went well or not.
	Status appsv1.DaemonSetStatus
	// Failures are those to remember.
	Failures failures
	// AvailableAt is when the next of the ready Pods has been so for minReadySeconds.
	AvailableAt time.Time
}

// history is what is done about ControllerRevisions, in this order.
type history struct {
	Update []*appsv1.ControllerRevision
	// Relabel are Pods that get the hash of the revision that stays, of several that hold
	// the same. Remove are the others.
	Relabel []*corev1.Pod
	Remove  []*appsv1.ControllerRevision
	Create  *appsv1.ControllerRevision
}

// event is told of the DaemonSet.
type event struct{ kind, reason, message string }

func selectingAll() event {
	return event{corev1.EventTypeWarning, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required."}
}

// wake says when to look again. A Pod that is about to be available is progress. One that
// fails again and again is, for the first few times.
func (p *plan) wake() engine.Wake {
	return engine.Progress(p.AvailableAt).Sooner(engine.Attempt(p.Failures.LookAt, p.Failures.most(), triesMax))
}
