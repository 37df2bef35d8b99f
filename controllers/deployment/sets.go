package deployment

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
	labelsutil "k8s.io/kubernetes/pkg/util/labels"
)

// historyMax bounds the annotation of a ReplicaSet's former revisions. Source:
// maxRevHistoryLengthInChars in k8s.io/kubernetes pkg/controller/deployment v1.37.2.
const historyMax = 2000

// replicaSets sorts the Deployment's ReplicaSets, and brings the new one up to date, or
// creates it. Source: getAllReplicaSetsAndSyncRevision in k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func (s *step) replicaSets(sets []*appsv1.ReplicaSet, create bool) (replicas, error) {
	if !s.looked {
		s.newest, s.looked = util.FindNewReplicaSet(s.d, sets), true
	}
	found := s.newest
	var r replicas
	for _, rs := range sets {
		if found == nil || rs.UID != found.UID {
			r.Old = append(r.Old, rs)
		}
	}
	revision := strconv.FormatInt(util.MaxRevision(klog.Background(), r.Old)+1, 10)
	var err error
	switch {
	case found != nil:
		r.New, err = s.revise(found, revision)
	case create:
		r.New, err = s.create(r.Old, revision)
	}
	return r, err
}

// revise is the part of getNewReplicaSet for one that exists, k8s.io/kubernetes
// pkg/controller/deployment v1.37.2.
func (s *step) revise(found *appsv1.ReplicaSet, revision string) (*appsv1.ReplicaSet, error) {
	rs := found.DeepCopy()
	changed := util.SetNewReplicaSetAnnotations(context.Background(), s.d, rs, revision, true, historyMax)
	if changed || rs.Spec.MinReadySeconds != s.d.Spec.MinReadySeconds {
		rs.Spec.MinReadySeconds = s.d.Spec.MinReadySeconds
		return s.update(rs, nil)
	}
	write := util.SetDeploymentRevision(s.d, rs.Annotations[util.RevisionAnnotation])
	if util.HasProgressDeadline(s.d) && util.GetDeploymentCondition(s.d.Status, appsv1.DeploymentProgressing) == nil {
		s.setProgressing(&s.d.Status, corev1.ConditionTrue, util.FoundNewRSReason, fmt.Sprintf("Found new replica set %q", rs.Name))
		write = true
	}
	if !write {
		return rs, nil
	}
	return rs, s.writeStatus(s.d.Status)
}

// create is the other part of getNewReplicaSet.
func (s *step) create(old []*appsv1.ReplicaSet, revision string) (*appsv1.ReplicaSet, error) {
	rs := newReplicaSet(s.d)
	size, err := util.NewRSNewReplicas(s.d, append(old[:len(old):len(old)], rs), rs)
	if err != nil {
		return nil, err
	}
	*rs.Spec.Replicas = size
	util.SetNewReplicaSetAnnotations(context.Background(), s.d, rs, revision, false, historyMax)
	if other, taken := s.Named(rs.Name); taken {
		return s.collide(other, revision)
	}
	creation := write{Create: rs.DeepCopy()}
	if size > 0 {
		creation.Event = normal("ScalingReplicaSet", "Scaled up replica set %s from 0 to %d", rs.Name, size)
	}
	s.plan.Writes = append(s.plan.Writes, creation)
	write := util.SetDeploymentRevision(s.d, revision)
	if util.HasProgressDeadline(s.d) {
		s.setProgressing(&s.d.Status, corev1.ConditionTrue, util.NewReplicaSetReason, fmt.Sprintf("Created new replica set %q", rs.Name))
		write = true
	}
	if !write {
		return rs, nil
	}
	return rs, s.writeStatus(s.d.Status)
}

// collide is for a name that another ReplicaSet has. It is the Deployment's own if it has
// the same template, which can only be if its labels keep it from being claimed. Otherwise
// the next step tries another hash.
func (s *step) collide(other *appsv1.ReplicaSet, revision string) (*appsv1.ReplicaSet, error) {
	if metav1.IsControlledBy(other, s.d) && util.EqualIgnoreHash(&s.d.Spec.Template, &other.Spec.Template) {
		if util.SetDeploymentRevision(s.d, revision) {
			return other, s.writeStatus(s.d.Status)
		}
		return other, nil
	}
	count := int32(1)
	if s.d.Status.CollisionCount != nil {
		count += *s.d.Status.CollisionCount
	}
	s.d.Status.CollisionCount = &count
	if err := s.writeStatus(s.d.Status); err != nil {
		return nil, err
	}
	return nil, errConflict
}

// newReplicaSet returns an empty one with the Deployment's template, named after its hash.
func newReplicaSet(d *appsv1.Deployment) *appsv1.ReplicaSet {
	template := *d.Spec.Template.DeepCopy()
	hash := controller.ComputeHash(&template, d.Status.CollisionCount)
	template.Labels = labelsutil.CloneAndAddLabel(d.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: setName(d.Name, hash), Namespace: d.Namespace, Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, kind())},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), MinReadySeconds: d.Spec.MinReadySeconds, Template: template,
			Selector: labelsutil.CloneSelectorAndAddLabel(d.Spec.Selector, appsv1.DefaultDeploymentUniqueLabelKey, hash),
		},
	}
}

// setName is generateReplicaSetName, k8s.io/kubernetes pkg/controller/deployment v1.37.2.
func setName(deployment, hash string) string {
	if most := validation.DNS1123SubdomainMaxLength - len("-") - len(hash); most > 0 && len(deployment) > most {
		deployment = deployment[:most]
	}
	return deployment + "-" + hash
}

// all returns them in a new slice; one may be nil.
func (r replicas) all() []*appsv1.ReplicaSet { return append(slices.Clip(r.Old), r.New) }
