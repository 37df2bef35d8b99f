package deployment

import (
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// plan is what a step does, and when to look again whether the rollout has timed out.
type plan struct {
	// Writes are made in order. One that fails ends the step.
	Writes []write
	WakeAt time.Time
}

// write is one request, with the Event that tells its success. Exactly one field besides
// Event is set, or none: then there is only an Event.
type write struct {
	// Create, Scale and Delete are about a ReplicaSet. If the one to scale has no
	// resourceVersion, an earlier write of the plan has changed it.
	Create, Scale, Delete *appsv1.ReplicaSet
	// Status and Spec are about the Deployment.
	Status, Spec *appsv1.Deployment
	Event        *event
}

// event is about the Deployment.
type event struct{ Type, Reason, Message string }

// step is the state of a plan that is being made: the objects as they will be.
type step struct {
	// d is a copy.
	d   *appsv1.Deployment
	now time.Time
	cluster
	plan plan
	// newest is the ReplicaSet with the Deployment's template, once looked for: to compare
	// templates is most of what a step costs, and neither they nor the sets change within one.
	newest *appsv1.ReplicaSet
	looked bool
	// wrote and scaled say which objects have been written. Upstream keeps the version
	// that it has read, so that a second write of it meets a conflict.
	wrote  bool
	scaled map[types.UID]bool
}

// errConflict ends a step where upstream's meets a conflict with its own write. The write
// has made the Deployment due already.
var errConflict = errors.New("a conflict with an earlier write of the step")

// writeStatus plans to write d's status, with the annotation of its revision.
func (s *step) writeStatus(status appsv1.DeploymentStatus) error {
	if s.wrote {
		return errConflict
	}
	next := *s.d
	next.Status = status
	s.wrote = true
	s.plan.Writes = append(s.plan.Writes, write{Status: next.DeepCopy()})
	return nil
}

// update plans to write rs, a copy of one that was read, and returns it as it will be.
func (s *step) update(rs *appsv1.ReplicaSet, told *event) (*appsv1.ReplicaSet, error) {
	switch {
	case rs.ResourceVersion == "":
	case s.scaled[rs.UID]:
		return nil, errConflict
	default:
		s.scaled[rs.UID] = true
	}
	s.plan.Writes = append(s.plan.Writes, write{Scale: rs.DeepCopy(), Event: told})
	rs.ResourceVersion = ""
	return rs, nil
}

func (s *step) tell(e event) { s.plan.Writes = append(s.plan.Writes, write{Event: &e}) }

func normal(reason, format string, args ...any) *event {
	return &event{corev1.EventTypeNormal, reason, fmt.Sprintf(format, args...)}
}

func warning(reason, format string, args ...any) *event {
	return &event{corev1.EventTypeWarning, reason, fmt.Sprintf(format, args...)}
}
