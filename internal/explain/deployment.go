package explain

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
	"k8s.io/utils/ptr"
)

// deployment tells how a Deployment has changed.
func (t *teller) deployment(old, d *appsv1.Deployment) {
	s := t.workloadOf(d.UID)
	if t.c.Type == watch.Added {
		t.created[d.UID] = t.say(Plain, "created: "+words(", ", count(int(ptr.Deref(d.Spec.Replicas, 1)), "replica"), strategyText(d),
			minReadyText(d.Spec.MinReadySeconds), setting("progressDeadlineSeconds", d.Spec.ProgressDeadlineSeconds), map[bool]string{true: "paused"}[d.Spec.Paused]), "")
		s.grown(t.created[d.UID], "")
	}
	if t.workloadEnds(s, orNothing(old), d) {
		return
	}
	if old == nil {
		old = &appsv1.Deployment{Spec: d.Spec}
	}
	t.chartWant(d)
	t.deploymentSpec(s, old, d)
	for i := range d.Status.Conditions {
		t.deploymentCondition(s, old, d, &d.Status.Conditions[i])
	}
	s.track.set(phaseOfRollout(d), t.c.Time)
}

// phaseOfRollout is RollingOut while a Deployment is not what it should be, and goes there.
func phaseOfRollout(d *appsv1.Deployment) Phase {
	switch {
	case d.Spec.Paused:
		return Paused
	case d.Generation > d.Status.ObservedGeneration || !util.DeploymentComplete(d, &d.Status):
		return RollingOut
	}
	return ""
}

// strategyText says what a rollout may do, in numbers.
func strategyText(d *appsv1.Deployment) string {
	if !util.IsRollingUpdate(d) {
		return string(d.Spec.Strategy.Type)
	}
	r := d.Spec.Strategy.RollingUpdate
	if r == nil {
		return "RollingUpdate"
	}
	return fmt.Sprintf("RollingUpdate with maxSurge %s (at most %d Pods) and maxUnavailable %s (at least %d available)", r.MaxSurge.String(),
		*d.Spec.Replicas+util.MaxSurge(*d), r.MaxUnavailable.String(), util.MinAvailable(d))
}

func minReadyText(seconds int32) string {
	if seconds == 0 {
		return ""
	}
	return fmt.Sprintf("minReadySeconds %d", seconds)
}

// deploymentSpec tells what somebody wants to be otherwise.
func (t *teller) deploymentSpec(s *workloadStory, old, d *appsv1.Deployment) {
	was, is := &old.Spec, &d.Spec
	t.templateChanged(s, &was.Template, &is.Template)
	if a, b := ptr.Deref(was.Replicas, 1), ptr.Deref(is.Replicas, 1); a != b {
		step := t.say(Outside, fmt.Sprintf("replicas changed from %d to %d", a, b), "")
		s.grown(step, fmt.Sprintf("replicas are %d now", b))
		s.shrunk(step, s.openedWhy)
	}
	if was.Paused != is.Paused {
		s.grown(t.say(Outside, pausedText(is.Paused), ""), "the rollout was "+pausedText(is.Paused))
	}
	t.changed(fieldChange{"strategy", strategyOf(old), strategyOf(d)},
		fieldChange{"minReadySeconds", fmt.Sprint(was.MinReadySeconds), fmt.Sprint(is.MinReadySeconds)},
		fieldChange{"progressDeadlineSeconds", text(was.ProgressDeadlineSeconds), text(is.ProgressDeadlineSeconds)},
		fieldChange{"revisionHistoryLimit", text(was.RevisionHistoryLimit), text(is.RevisionHistoryLimit)})
}

// strategyOf is a strategy as it was written: its numbers follow from the replicas too.
func strategyOf(d *appsv1.Deployment) string {
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		return fmt.Sprintf("%s with maxSurge %s and maxUnavailable %s", d.Spec.Strategy.Type, r.MaxSurge.String(), r.MaxUnavailable.String())
	}
	return string(d.Spec.Strategy.Type)
}

// deploymentCondition tells what a Deployment has come to.
func (t *teller) deploymentCondition(s *workloadStory, old, d *appsv1.Deployment, c *appsv1.DeploymentCondition) {
	was := util.GetDeploymentCondition(old.Status, c.Type)
	if was != nil && was.Status == c.Status && was.Reason == c.Reason {
		return
	}
	switch {
	case c.Type == appsv1.DeploymentProgressing && c.Reason == util.NewRSAvailableReason:
		what := "rolled out"
		if set := util.FindNewReplicaSet(d, t.setsOf(d)); set != nil {
			what += ": revision " + revisionOf(set) + ", replicaset/" + set.Name
		}
		t.say(Good, what, "", t.readyStep(d), s.opened)
	case c.Type == appsv1.DeploymentProgressing && c.Reason == util.TimedOutReason:
		t.say(Bad, c.Reason, fmt.Sprintf("nothing has got better for progressDeadlineSeconds %d", ptr.Deref(d.Spec.ProgressDeadlineSeconds, 0)), t.readyStep(d), s.opened)
	case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse, c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
		t.say(Bad, c.Reason, c.Message)
	case c.Type == appsv1.DeploymentAvailable:
		t.availability(s, d, was, c)
	}
}

// availability tells whether enough Pods serve. A new Deployment is not available yet,
// which is no news.
func (t *teller) availability(s *workloadStory, d *appsv1.Deployment, was, is *appsv1.DeploymentCondition) {
	have := fmt.Sprintf("%d of %s are available, at least %d must be", d.Status.AvailableReplicas, count(int(ptr.Deref(d.Spec.Replicas, 1)), "replica"), util.MinAvailable(d))
	switch {
	case is.Status == corev1.ConditionTrue:
		t.say(Good, "available", have, t.readyStep(d))
	case was != nil && was.Status == corev1.ConditionTrue:
		t.say(Bad, "not available any more", have, s.opened)
	}
}

// readyStep is the last that has shown a Pod of a Deployment ready.
func (t *teller) readyStep(d *appsv1.Deployment) int {
	step := none
	for _, set := range t.setsOf(d) {
		step = max(step, t.workloadOf(set.UID).ready)
	}
	return step
}

// rolloutWaits tells, at the end of the story, why a rollout has not ended.
func (t *teller) rolloutWaits(d *appsv1.Deployment) {
	if t.gone[d.UID] || d.DeletionTimestamp != nil || util.DeploymentComplete(d, &d.Status) {
		return
	}
	sets := t.setsOf(d)
	var parts []string
	switch set := util.FindNewReplicaSet(d, sets); {
	case d.Spec.Paused:
		parts = append(parts, "it is paused: 'kubectl rollout resume' goes on")
	case set != nil:
		parts = t.unready(set)
		if old := util.GetActualReplicaCountForReplicaSets(sets) - set.Status.Replicas; old > 0 && util.IsRollingUpdate(d) {
			parts = append(parts, fmt.Sprintf("%s: at least %d must be available, and %d are", count(int(old), "old Pod")+map[bool]string{true: " stays", false: " stay"}[old == 1],
				util.MinAvailable(d), util.GetAvailableReplicaCountForReplicaSets(sets)))
		}
	}
	t.waits("deployment", d.Name, "has not rolled out: "+rolloutText(d, sets), parts, t.workloadOf(d.UID).opened)
}

// rolloutText counts what is missing.
func rolloutText(d *appsv1.Deployment, sets []*appsv1.ReplicaSet) string {
	updated := int32(0)
	if set := util.FindNewReplicaSet(d, sets); set != nil {
		updated = set.Status.AvailableReplicas
	}
	return fmt.Sprintf("%d of %s are of the new version and available", updated, count(int(ptr.Deref(d.Spec.Replicas, 1)), "replica"))
}
