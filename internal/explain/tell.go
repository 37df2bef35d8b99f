package explain

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// tell goes on with one commit.
func (t *teller) tell(c *Commit) {
	t.c = c
	uid := c.Object.GetUID()
	old := t.last[uid]
	switch o := c.Object.(type) { // these have no past of their own
	case *corev1.Event:
		t.event(o)
		return
	case *corev1.Node:
		t.node(o)
		return
	case *v1alpha1.Fault:
		t.fault(o)
		return
	}
	if old == nil && c.Type == watch.Modified {
		t.firstKnown()
		t.last[uid] = c.Object
		return
	}
	switch o := c.Object.(type) {
	case *corev1.Pod:
		before, _ := old.(*corev1.Pod)
		t.pod(before, o)
	case *batchv1.Job:
		before, _ := old.(*batchv1.Job)
		t.job(before, o)
	case *batchv1.CronJob:
		before, _ := old.(*batchv1.CronJob)
		t.cronJob(before, o)
	case *appsv1.Deployment:
		before, _ := old.(*appsv1.Deployment)
		t.deployment(before, o)
	case *appsv1.ReplicaSet:
		before, _ := old.(*appsv1.ReplicaSet)
		t.replicaSet(before, o)
	case *appsv1.StatefulSet:
		before, _ := old.(*appsv1.StatefulSet)
		t.statefulSet(before, o)
	case *appsv1.DaemonSet:
		before, _ := old.(*appsv1.DaemonSet)
		t.daemonSet(before, o)
	case *appsv1.ControllerRevision:
		before, _ := old.(*appsv1.ControllerRevision)
		t.controllerRevision(before, o)
	case *autoscalingv2.HorizontalPodAutoscaler:
		before, _ := old.(*autoscalingv2.HorizontalPodAutoscaler)
		t.autoscaler(before, o)
	}
	t.last[uid] = c.Object
	t.gone[uid] = c.Type == watch.Deleted
	t.followTarget(c.Object)
}

// firstKnown tells the state of an object whose beginning is forgotten.
func (t *teller) firstKnown() {
	ref := kindOf(t.c.Object) + "/" + t.c.Object.GetName()
	t.story.Forgotten = append(t.story.Forgotten, ref)
	what := "is known from here on"
	switch o := t.c.Object.(type) {
	case *corev1.Pod:
		p := t.podOf(o.UID)
		p.bars.begin(t.c, o)
		p.bars.follow(t.c, &corev1.Pod{}, o)
		what += ", " + string(o.Status.Phase)
		if o.Spec.NodeName != "" {
			t.nodeOf(o.Spec.NodeName).users[o.UID] = true
			what += " on " + o.Spec.NodeName
		}
	case *batchv1.Job:
		s := t.jobOf(o)
		s.bars.follow(t.c, o)
		what += fmt.Sprintf(", %d active, %d succeeded, %d failed", o.Status.Active, o.Status.Succeeded, o.Status.Failed)
		s.failures = int(o.Status.Failed)
	case *appsv1.Deployment:
		what += fmt.Sprintf(", %d of %d available", o.Status.AvailableReplicas, ptr.Deref(o.Spec.Replicas, 1))
	case *appsv1.ReplicaSet:
		what += fmt.Sprintf(", %d of %d available", o.Status.AvailableReplicas, ptr.Deref(o.Spec.Replicas, 1))
	case *appsv1.StatefulSet:
		what += fmt.Sprintf(", %d of %d available", o.Status.AvailableReplicas, ptr.Deref(o.Spec.Replicas, 1))
	case *appsv1.DaemonSet:
		what += fmt.Sprintf(", %d of %s available", o.Status.NumberAvailable, count(int(o.Status.DesiredNumberScheduled), "Node"))
	case *appsv1.ControllerRevision:
		t.revisions[revisionName(o)] = o.Revision
		what += fmt.Sprintf(", revision %d", o.Revision)
	case *autoscalingv2.HorizontalPodAutoscaler:
		what += fmt.Sprintf(", wants %d replicas", o.Status.DesiredReplicas)
	}
	t.created[t.c.Object.GetUID()] = t.sayBy("", ref, Plain, what, "")
	if s := t.jobs[t.c.Object.GetUID()]; s != nil {
		s.opened = t.createdStep(t.c.Object.GetUID())
	}
	t.workloadOf(t.c.Object.GetUID()).opened = t.createdStep(t.c.Object.GetUID())
}

// goesOn tells what the target waits for at the end of the story.
func (t *teller) goesOn() {
	for _, o := range t.sorted(func(o Object) bool { return kindOf(o)+"/"+o.GetName() == t.story.Ref() }) {
		switch o := o.(type) {
		case *appsv1.Deployment:
			t.rolloutWaits(o)
		case *appsv1.StatefulSet:
			t.ordinalsWait(o)
		case *appsv1.DaemonSet:
			t.daemonsWait(o)
		}
	}
}
