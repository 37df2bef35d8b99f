package deployment

import (
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
)

// scale brings the ReplicaSets to the Deployment's size: the only one that has Pods, or,
// in the middle of a rollout, all of them in proportion. Source: scale in k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func (s *step) scale(r replicas) error {
	if one := util.FindActiveOrLatest(r.New, r.Old); one != nil {
		_, _, err := s.scaleTo(one, *s.d.Spec.Replicas, false)
		return err
	}
	if util.IsSaturated(s.d, r.New) {
		for _, old := range controller.FilterActiveReplicaSets(r.Old) {
			if _, _, err := s.scaleTo(old, 0, false); err != nil {
				return err
			}
		}
		return nil
	}
	if !util.IsRollingUpdate(s.d) {
		return nil
	}
	active := controller.FilterActiveReplicaSets(r.all())
	sizes := proportions(s.d, active)
	for _, rs := range active {
		if _, _, err := s.scaleTo(rs, sizes[rs.Name], true); err != nil {
			return err
		}
	}
	return nil
}

// proportions sorts the active ReplicaSets and says how large each is to be.
func proportions(d *appsv1.Deployment, active []*appsv1.ReplicaSet) map[string]int32 {
	allowed := int32(0)
	if *d.Spec.Replicas > 0 {
		allowed = *d.Spec.Replicas + util.MaxSurge(*d)
	}
	toAdd := allowed - util.GetReplicaCountForReplicaSets(active)
	switch {
	case toAdd > 0:
		sort.Sort(controller.ReplicaSetsBySizeNewer(active))
	case toAdd < 0:
		sort.Sort(controller.ReplicaSetsBySizeOlder(active))
	}
	added, sizes := int32(0), map[string]int32{}
	for _, rs := range active {
		proportion := int32(0)
		if toAdd != 0 {
			proportion = util.GetReplicaSetProportion(klog.Background(), rs, *d, toAdd, added)
		}
		sizes[rs.Name] = *rs.Spec.Replicas + proportion
		added += proportion
	}
	// A Deployment that was paused before its first step has none.
	if toAdd != 0 && len(active) > 0 { // what rounding has left over
		largest := active[0].Name
		sizes[largest] = max(sizes[largest]+toAdd-added, 0)
	}
	return sizes
}

// scaleTo scales one ReplicaSet. It reports whether its size changes, and returns it as it
// will be. With force, its annotations are brought up to date even if its size stays.
// Source: scaleReplicaSet in k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func (s *step) scaleTo(rs *appsv1.ReplicaSet, size int32, force bool) (bool, *appsv1.ReplicaSet, error) {
	was, desired := *rs.Spec.Replicas, *s.d.Spec.Replicas
	most := desired + util.MaxSurge(*s.d)
	if was == size && !(force && util.ReplicasAnnotationsNeedUpdate(rs, desired, most)) {
		return false, rs, nil
	}
	next := rs.DeepCopy()
	*next.Spec.Replicas = size
	util.SetReplicasAnnotations(next, desired, most)
	var told *event
	if was != size {
		direction := "down"
		if was < size {
			direction = "up"
		}
		told = normal("ScalingReplicaSet", "Scaled %s replica set %s from %d to %d", direction, rs.Name, was, size)
	}
	next, err := s.update(next, told)
	return err == nil && was != size, next, err
}
