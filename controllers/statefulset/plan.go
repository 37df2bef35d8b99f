package statefulset

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// plan is what a step does, in this order, and when to look again: when the next Pod has
// been ready for minReadySeconds, or may be replaced.
type plan struct {
	Revision revision
	// Refusal is why nothing else is done; it is told.
	Refusal error
	Phases  []phase
	// Status is written whether the phases succeed or not. Each deletion for an update
	// takes one from its currentReplicas.
	Status appsv1.StatefulSetStatus
	// Conditions replace those of the status if the phases succeed; nil if there are none.
	Conditions []appsv1.StatefulSetCondition
	// Trim are revisions that are deleted.
	Trim   []*appsv1.ControllerRevision
	WakeAt time.Time
}

// revision is a ControllerRevision to write: one of the two, or none.
type revision struct{ Create, Update *appsv1.ControllerRevision }

// phase is work on several Pods. An error ends the step: at once, or, if the Pods are
// worked on together, after those of its batch.
type phase struct {
	Together bool
	// Pods has what is done for each Pod, which may be nothing.
	Pods [][]work
}

// work is one thing that is done for a Pod.
type work struct {
	verb
	Pod *corev1.Pod
	// Claims are created for it, before all else. Refusals are why others cannot be.
	Claims   []*corev1.PersistentVolumeClaim
	Refusals []error
	Owners   []owners
}

// owners is what is to be done about the owners of one claim.
type owners struct {
	// Conflict is the claim's name if somebody else controls it, which is told.
	Conflict string
	// Changed is the claim with other owners; nil if they stay.
	Changed *corev1.PersistentVolumeClaim
}

// verb is what happens to the Pod itself.
type verb string

const (
	create verb = "Create"
	remove verb = "Delete"
	modify verb = "Update"
	// outdate deletes a Pod that is to have another revision.
	outdate verb = "Outdate"
	// claims leaves the Pod as it is and only changes its claims.
	claims verb = "Claims"
	// disown is claims for a Pod that goes: nobody is told if that fails.
	disown verb = "Disown"
)
