package deployment

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// rollback goes back to the revision that an annotation names, which old versions of the
// API have left. `kubectl rollout undo` changes the template by itself. Source: rollback in
// k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) rollback(sets []*appsv1.ReplicaSet) error {
	r, err := s.replicaSets(sets, true)
	if err != nil {
		return err
	}
	to := *rollbackTo(s.d)
	if to == 0 {
		if to = util.LastRevision(klog.Background(), present(r.all())); to == 0 {
			return s.endRollback(*warning(util.RollbackRevisionNotFound, "Unable to find last revision."), true)
		}
	}
	for _, rs := range present(r.all()) {
		if v, err := util.Revision(rs); err != nil || v != to {
			continue
		}
		if util.EqualIgnoreHash(&s.d.Spec.Template, &rs.Spec.Template) {
			return s.endRollback(*warning(util.RollbackTemplateUnchanged, "The rollback revision contains the same template as current deployment %q", s.d.Name), true)
		}
		util.SetFromReplicaSetTemplate(s.d, rs.Spec.Template)
		util.SetDeploymentAnnotationsTo(s.d, rs)
		return s.endRollback(*normal(util.RollbackDone, "Rolled back deployment %q to revision %d", s.d.Name, to), false)
	}
	return s.endRollback(*warning(util.RollbackRevisionNotFound, "Unable to find the revision to rollback to."), true)
}

func present(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for _, rs := range sets {
		if rs != nil {
			out = append(out, rs)
		}
	}
	return out
}

// endRollback takes the annotation away. The Event comes before that, or only with it.
func (s *step) endRollback(told event, before bool) error {
	if before {
		s.tell(told)
	}
	if s.wrote {
		return errConflict
	}
	s.wrote = true
	next := *s.d
	next.Annotations = maps.Clone(next.Annotations)
	delete(next.Annotations, appsv1.DeprecatedRollbackTo)
	w := write{Spec: &next}
	if !before {
		w.Event = &told
	}
	s.plan.Writes = append(s.plan.Writes, w)
	return nil
}

// rollbackTo returns the revision of the annotation; nil if there is none that is a number.
func rollbackTo(d *appsv1.Deployment) *int64 {
	revision, err := strconv.ParseInt(d.Annotations[appsv1.DeprecatedRollbackTo], 10, 64)
	if err != nil {
		return nil
	}
	return &revision
}
