package explain

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/deployment/util"
	"k8s.io/utils/ptr"
)

// replicaSet tells how a ReplicaSet has changed.
func (t *teller) replicaSet(old, set *appsv1.ReplicaSet) {
	s := t.workloadOf(set.UID)
	d := t.deploymentOf(set)
	if t.c.Type == watch.Added {
		t.created[set.UID] = t.replicaSetCreated(s, d, set)
		t.chartVersion(set)
	}
	var before Object
	if old != nil {
		before = old
	}
	why, cause := t.whyReplicaSetDeleted(d)
	if step := t.deletion(before, set, why, cause, s.deleted); step != none && t.c.Type != watch.Deleted {
		s.deleted = step
		s.shrunk(step, "the ReplicaSet is being deleted")
	}
	if t.c.Type == watch.Deleted || old == nil {
		return
	}
	if a, b := revisionOf(old), revisionOf(set); a != b && a != "" && d != nil {
		t.say(Plain, fmt.Sprintf("is revision %s now, before %s", b, a), "the template is its own again", t.workloadOf(d.UID).opened)
	}
	if a, b := ptr.Deref(old.Spec.Replicas, 1), ptr.Deref(set.Spec.Replicas, 1); a != b {
		t.scaled(s, d, old, set)
	}
	if c := failureOf(set); c != nil && failureOf(old) == nil {
		t.say(Bad, "ReplicaFailure: "+c.Reason, c.Message, s.opened)
	}
}

func failureOf(set *appsv1.ReplicaSet) *appsv1.ReplicaSetCondition {
	i := slices.IndexFunc(set.Status.Conditions, func(c appsv1.ReplicaSetCondition) bool {
		return c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue
	})
	if i < 0 {
		return nil
	}
	return &set.Status.Conditions[i]
}

// deploymentOf is the Deployment that controls a ReplicaSet, nil if none is known.
func (t *teller) deploymentOf(set *appsv1.ReplicaSet) *appsv1.Deployment {
	ref := owner(set, "Deployment")
	if ref == nil {
		return nil
	}
	d, _ := t.last[ref.UID].(*appsv1.Deployment)
	return d
}

func (t *teller) replicaSetCreated(s *workloadStory, d *appsv1.Deployment, set *appsv1.ReplicaSet) int {
	what := "created with " + count(int(ptr.Deref(set.Spec.Replicas, 1)), "replica")
	if d == nil {
		step := t.say(Plain, words(", ", what, minReadyText(set.Spec.MinReadySeconds)), "")
		s.grown(step, "")
		return step
	}
	why, cause := t.growth(d, set)
	step := t.say(Plain, "revision "+revisionOf(set)+", "+what, why, cause)
	s.grown(step, "")
	return step
}

func (t *teller) whyReplicaSetDeleted(d *appsv1.Deployment) (why string, cause int) {
	switch name := controller(t.c.Actor); {
	case d == nil:
	case name == "deployment":
		return fmt.Sprintf("revisionHistoryLimit %d of its Deployment", ptr.Deref(d.Spec.RevisionHistoryLimit, 0)), none
	case name == "garbagecollector":
		return "its owner, deployment/" + d.Name + ", is gone or is being deleted", t.workloadOf(d.UID).deleted
	}
	return "", none
}

// scaled tells that a ReplicaSet is to have more or fewer Pods.
func (t *teller) scaled(s *workloadStory, d *appsv1.Deployment, old, set *appsv1.ReplicaSet) {
	a, b := ptr.Deref(old.Spec.Replicas, 1), ptr.Deref(set.Spec.Replicas, 1)
	what := fmt.Sprintf("scaled up from %d to %d", a, b)
	if b < a {
		what = fmt.Sprintf("scaled down from %d to %d", a, b)
	}
	why, cause, closedWhy := "", none, ""
	switch {
	case d == nil || controller(t.c.Actor) != "deployment":
	case b > a:
		why, cause = t.growth(d, set)
	default:
		why, closedWhy, cause = t.decline(d, old, set)
	}
	step := t.say(Plain, what, why, cause)
	if b > a {
		s.grown(step, "")
		return
	}
	s.shrunk(step, closedWhy)
	if d != nil {
		t.workloadOf(d.UID).freed = step
	}
}

// growth says which rule lets a ReplicaSet of a Deployment have more Pods.
func (t *teller) growth(d *appsv1.Deployment, set *appsv1.ReplicaSet) (why string, cause int) {
	s, sets := t.workloadOf(d.UID), t.setsOf(d)
	switch {
	case !util.EqualIgnoreHash(&set.Spec.Template, &d.Spec.Template):
		return words(": ", "in proportion", s.openedWhy), s.opened
	case !util.IsRollingUpdate(d) || util.GetReplicaCountForReplicaSets(sets) == 0:
		return s.openedWhy, s.opened
	}
	return fmt.Sprintf("at most %d Pods may be there, %d were", *d.Spec.Replicas+util.MaxSurge(*d), util.GetReplicaCountForReplicaSets(sets)), max(s.opened, s.freed)
}

// decline says which rule takes Pods from a ReplicaSet of a Deployment, and what that is
// to the Pods.
func (t *teller) decline(d *appsv1.Deployment, old, set *appsv1.ReplicaSet) (why, pods string, cause int) {
	s, sets := t.workloadOf(d.UID), t.setsOf(d)
	switch {
	case util.EqualIgnoreHash(&set.Spec.Template, &d.Spec.Template) || d.Spec.Paused:
		return s.closedWhy, s.closedWhy, s.closed
	case !util.IsRollingUpdate(d):
		return "strategy Recreate: nothing new starts before the old Pods are gone", "", s.opened
	}
	if unready := *old.Spec.Replicas - old.Status.AvailableReplicas; unready > 0 && *old.Spec.Replicas-*set.Spec.Replicas <= unready {
		return "old Pods that are not available go first", "", s.opened
	}
	why = fmt.Sprintf("at least %d must be available, %d were", util.MinAvailable(d), util.GetAvailableReplicaCountForReplicaSets(sets))
	newest := util.FindNewReplicaSet(d, sets)
	if newest == nil {
		return why, "", s.opened
	}
	if n := t.workloadOf(newest.UID); n.ready > s.opened {
		return why + ": pod/" + n.readyPod + " has become ready", "replaced by pod/" + n.readyPod, n.ready
	}
	return why, "maxUnavailable lets it go before a new Pod is ready", s.opened
}

// unready says what the Pods of a ReplicaSet wait for.
func (t *teller) unready(set *appsv1.ReplicaSet) (parts []string) {
	if c := failureOf(set); c != nil {
		parts = append(parts, c.Message)
	}
	for _, o := range t.sorted(func(o Object) bool { ref := owner(o, "ReplicaSet"); return ref != nil && ref.UID == set.UID }) {
		pod, ok := o.(*corev1.Pod)
		if !ok || t.gone[pod.UID] || pod.DeletionTimestamp != nil || podutil.IsPodReady(pod) {
			continue
		}
		parts = append(parts, "pod/"+pod.Name+": "+unreadyText(pod))
	}
	if n := len(parts) - someMax; n > 1 {
		parts = append(parts[:someMax], fmt.Sprintf("%d more Pods are not ready", n))
	}
	return parts
}

// unreadyText says what a Pod waits for.
func unreadyText(pod *corev1.Pod) string {
	if _, c := podutil.GetPodCondition(&pod.Status, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		return c.Reason + ": " + c.Message
	}
	for _, c := range allStatuses(pod) {
		if w := c.State.Waiting; w != nil && w.Reason != "PodInitializing" {
			return words(": ", "container "+c.Name, w.Reason)
		}
	}
	for _, c := range allStatuses(pod) {
		if c.State.Running != nil && !c.Ready {
			return "container " + c.Name + " is not ready"
		}
	}
	return cmp.Or(pod.Status.Reason, string(pod.Status.Phase))
}
