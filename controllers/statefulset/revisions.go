package statefulset

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	appsdefaults "k8s.io/kubernetes/pkg/apis/apps/v1"
	"k8s.io/kubernetes/pkg/controller/history"

	"github.com/kubesim-dev/kubesim/controllers/workload"
)

// revise finds the revisions that Pods are to have: the one of set's template, which is
// created if it is new, and the one that the last complete rollout had. Source:
// getStatefulSetRevisions in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) revise() error {
	next := int64(1)
	if n := len(s.revisions); n > 0 {
		next = s.revisions[n-1].Revision + 1
	}
	if count := s.set.Status.CollisionCount; count != nil {
		s.collisions = *count
	}
	proposed, err := workload.NewRevision(s.set, kind(), &s.set.Spec.Template, next, &s.collisions)
	if err != nil {
		return err
	}
	s.proposed = proposed
	equal := history.FindEqualRevisions(s.revisions, proposed)
	switch {
	case len(equal) > 0 && history.EqualRevision(s.latest(), equal[len(equal)-1]) || len(equal) == 0 && s.isLatest(proposed):
		s.update = s.latest()
	case len(equal) > 0: // a rollback: the old revision becomes the newest
		s.update = equal[len(equal)-1].DeepCopy()
		s.update.Revision = next
		s.plan.Revision = revision{Update: s.update}
	default:
		s.create(proposed)
	}
	s.current = s.update
	for _, old := range s.revisions {
		if old.Name == s.set.Status.CurrentRevision {
			s.current = old
		}
	}
	return nil
}

// latest is the newest revision; nil if there is none.
func (s *step) latest() *appsv1.ControllerRevision {
	if len(s.revisions) == 0 {
		return nil
	}
	return s.revisions[len(s.revisions)-1]
}

// create plans a new revision. If another one has its name, the hash gets one more
// collision. Source: CreateControllerRevision in k8s.io/kubernetes pkg/controller/history
// v1.37.2.
func (s *step) create(proposed *appsv1.ControllerRevision) {
	s.update = proposed.DeepCopy()
	for {
		s.update.Name = history.ControllerRevisionName(s.set.Name, history.HashControllerRevision(proposed, &s.collisions))
		other, taken := s.Revision(s.update.Name)
		if !taken {
			s.plan.Revision = revision{Create: s.update}
			return
		}
		if workload.SameData(other, proposed) {
			s.update = other
			return
		}
		s.collisions++
	}
}

// isLatest reports whether the newest revision is the proposed one but for defaults that
// this release sets and an earlier one did not. Source: setMatchesLatestExistingRevision in
// k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) isLatest(proposed *appsv1.ControllerRevision) bool {
	if !s.Gates.StatefulSetSemanticRevisionComparison || s.latest() == nil {
		return false
	}
	restored, err := restore(s.set, s.latest())
	if err != nil {
		return false
	}
	appsdefaults.SetObjectDefaults_StatefulSet(restored)
	again, err := workload.NewRevision(restored, kind(), &restored.Spec.Template, -1, nil)
	return err == nil && history.EqualRevision(proposed, again)
}

// at returns set as it is at a revision.
func (s *step) at(rev *appsv1.ControllerRevision) (*appsv1.StatefulSet, error) {
	if workload.SameData(rev, s.proposed) {
		return s.set, nil
	}
	return restore(s.set, rev)
}

// restore is ApplyRevision, k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func restore(set *appsv1.StatefulSet, rev *appsv1.ControllerRevision) (*appsv1.StatefulSet, error) {
	whole, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	patched, err := strategicpatch.StrategicMergePatch(whole, rev.Data.Raw, set)
	if err != nil {
		return nil, err
	}
	next, restored := set.DeepCopy(), &appsv1.StatefulSet{}
	if err := json.Unmarshal(patched, restored); err != nil {
		return nil, err
	}
	next.Spec = restored.Spec
	return next, nil
}

// trim returns the revisions that exceed set's limit: the oldest of those that no Pod has.
// Source: truncateHistory in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) trim() []*appsv1.ControllerRevision {
	live := map[string]bool{s.current.Name: true, s.update.Name: true}
	for _, pod := range s.pods {
		live[revisionOf(pod)] = true
	}
	var old []*appsv1.ControllerRevision
	for _, rev := range s.revisions {
		if !live[rev.Name] {
			old = append(old, rev)
		}
	}
	limit := s.set.Spec.RevisionHistoryLimit
	if limit == nil || *limit < 0 || len(old) <= int(*limit) {
		return nil
	}
	return old[:len(old)-int(*limit)]
}
