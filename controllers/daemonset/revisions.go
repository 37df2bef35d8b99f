package daemonset

import (
	"bytes"
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/controller"
	labelsutil "k8s.io/kubernetes/pkg/util/labels"
)

// revise finds the revision of ds' template, or plans to create it, and gives it the
// highest number. Source: constructHistory in k8s.io/kubernetes pkg/controller/daemon
// v1.37.2.
func (s *step) revise() {
	var same []*appsv1.ControllerRevision
	next := int64(1)
	for _, rev := range s.revisions {
		if _, ok := rev.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]; !ok {
			rev = s.change(rev)
			rev.Labels = labelsutil.AddLabel(rev.Labels, appsv1.DefaultDaemonSetUniqueLabelKey, rev.Name)
		}
		if bytes.Equal(rev.Data.Raw, s.Patch) {
			same = append(same, rev)
			continue
		}
		s.old = append(s.old, rev)
		next = max(next, rev.Revision+1)
	}
	if len(same) == 0 {
		s.snapshot(next)
		return
	}
	s.current = s.unite(same)
	if s.current.Revision < next { // a rollback: the old revision becomes the newest
		s.current = s.change(s.current)
		s.current.Revision = next
	}
}

// change returns a copy of a revision that will be written.
func (s *step) change(rev *appsv1.ControllerRevision) *appsv1.ControllerRevision {
	if slices.Contains(s.plan.History.Update, rev) {
		return rev
	}
	changed := rev.DeepCopy()
	s.plan.History.Update = append(s.plan.History.Update, changed)
	return changed
}

// snapshot plans a new revision, unless it is there already under this name. Source:
// snapshot in k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (s *step) snapshot(number int64) {
	hash := controller.ComputeHash(&s.ds.Spec.Template, s.ds.Status.CollisionCount)
	name := s.ds.Name + "-" + hash
	if taken, found := s.Revision(name); found {
		s.current, s.plan.Collided = taken, !bytes.Equal(taken.Data.Raw, s.Patch)
		return
	}
	s.current = &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: s.ds.Namespace,
			Labels:          labelsutil.CloneAndAddLabel(s.ds.Spec.Template.Labels, appsv1.DefaultDaemonSetUniqueLabelKey, hash),
			Annotations:     s.ds.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s.ds, kind())},
		},
		Data: runtime.RawExtension{Raw: s.Patch}, Revision: number,
	}
	s.plan.History.Create = s.current
}

// unite keeps the newest of the revisions that hold the same, for all Pods. Source:
// dedupCurHistories in k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (s *step) unite(same []*appsv1.ControllerRevision) *appsv1.ControllerRevision {
	keep := same[0]
	for _, rev := range same[1:] {
		if rev.Revision >= keep.Revision {
			keep = rev
		}
	}
	if len(same) == 1 {
		return keep
	}
	hash := keep.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	pods := slices.Clone(s.pods)
	for i, pod := range pods {
		if pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == hash {
			continue
		}
		changed := *pod
		changed.Labels = labelsutil.CloneAndAddLabel(pod.Labels, appsv1.DefaultDaemonSetUniqueLabelKey, hash)
		pods[i] = &changed
		s.plan.History.Relabel = append(s.plan.History.Relabel, &changed)
	}
	s.pods = pods
	for _, rev := range same {
		if rev != keep {
			s.plan.History.Remove = append(s.plan.History.Remove, rev)
		}
	}
	return keep
}

// trim returns the revisions that exceed ds' limit: the oldest of those that no Pod has.
// Source: cleanupHistory in k8s.io/kubernetes pkg/controller/daemon v1.37.2.
func (s *step) trim() []*appsv1.ControllerRevision {
	excess := len(s.old)
	if limit := s.ds.Spec.RevisionHistoryLimit; limit != nil {
		excess -= int(*limit)
	}
	if excess <= 0 {
		return nil
	}
	live := map[string]bool{}
	for _, pod := range s.pods {
		live[pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]] = true
	}
	delete(live, "")
	var out []*appsv1.ControllerRevision
	slices.SortStableFunc(s.old, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, rev := range s.old {
		if len(out) < excess && !live[rev.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]] {
			out = append(out, rev)
		}
	}
	return out
}
