package scheduler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/scheduler/profile"
)

// noteMax is how long an Event's message may be. Source: NoteLengthLimit,
// k8s.io/kubernetes pkg/apis/core/validation v1.37.2.
const noteMax = 1024

// refusal is why a Pod is not bound.
type refusal struct {
	profile.Failure
	// Reason is that of the condition PodScheduled.
	Reason string
}

// refuse makes room for the Pod, if it can be made, and says why the Pod waits. Source:
// prepareCandidateAsync, k8s.io/kubernetes pkg/scheduler/framework/preemption, and
// handleSchedulingFailure, pkg/scheduler, v1.37.2.
func (r *Reconciler) refuse(ctx context.Context, pod *corev1.Pod, why refusal, now time.Time) error {
	for _, other := range why.Cleared {
		if err := r.updateStatus(ctx, other, func(s *corev1.PodStatus) { s.NominatedNodeName = "" }); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	for _, victim := range why.Victims {
		if err := r.preempt(ctx, pod, victim, why.Node, now); err != nil {
			return err
		}
	}
	return r.explain(ctx, pod, why, now)
}

// preempt deletes a Pod to make room for another.
func (r *Reconciler) preempt(ctx context.Context, preemptor, victim *corev1.Pod, node string, now time.Time) error {
	err := r.updateStatus(ctx, victim, func(s *corev1.PodStatus) {
		setCondition(s, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonPreemptionByScheduler,
			Message:            preemptor.Spec.SchedulerName + ": preempting to accommodate a higher priority pod",
			ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&victim.Status, victim.Generation, corev1.DisruptionTarget),
		}, now)
	})
	if err == nil {
		err = r.api.Delete(ctx, r.who, engine.Pods, nameOf(victim), metav1.DeleteOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.event(ctx, victim, corev1.EventTypeNormal, "Preempted", fmt.Sprintf("Preempted by pod %s on node %s", preemptor.UID, node))
	return nil
}

// explain writes the condition, the nominated Node and the Event.
//
// Deviation: only if the message is new; upstream repeats its Event with every
// try.
func (r *Reconciler) explain(ctx context.Context, pod *corev1.Pod, why refusal, now time.Time) error {
	r.waiting.add(pod, why.Plugins, r.labelsMatter())
	_, have := podutil.GetPodCondition(&pod.Status, corev1.PodScheduled)
	said := have != nil && have.Status == corev1.ConditionFalse && have.Reason == why.Reason && have.Message == why.Message
	nominated := pod.Status.NominatedNodeName
	if why.Nominate {
		nominated = why.Node
	}
	if said && nominated == pod.Status.NominatedNodeName {
		return nil
	}
	if !said {
		r.event(ctx, pod, corev1.EventTypeWarning, "FailedScheduling", note(why.Message))
	}
	err := r.updateStatus(ctx, pod, func(s *corev1.PodStatus) {
		s.NominatedNodeName = nominated
		setCondition(s, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: why.Reason, Message: why.Message,
			ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&pod.Status, pod.Generation, corev1.PodScheduled),
		}, now)
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// note is a message as an Event can hold it.
func note(message string) string {
	if len(message) <= noteMax {
		return message
	}
	return message[:noteMax-len(" ...")] + " ..."
}

// updateStatus writes a changed copy of a Pod's status.
func (r *Reconciler) updateStatus(ctx context.Context, pod *corev1.Pod, change func(*corev1.PodStatus)) error {
	pod = pod.DeepCopy()
	change(&pod.Status)
	_, err := r.api.Update(ctx, r.who, engine.Pods, "status", pod)
	return err
}

// setCondition sets a condition. It keeps the time of its last transition if its status is
// the same. Source: UpdatePodCondition, k8s.io/kubernetes pkg/api/v1/pod v1.37.2, which reads
// the wall clock.
func setCondition(s *corev1.PodStatus, c corev1.PodCondition, now time.Time) {
	c.LastTransitionTime = metav1.NewTime(now)
	i, have := podutil.GetPodCondition(s, c.Type)
	if have == nil {
		s.Conditions = append(s.Conditions, c)
		return
	}
	if have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	s.Conditions[i] = c
}
