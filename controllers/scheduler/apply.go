package scheduler

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// noteMax is how long an Event's message may be. Source: NoteLengthLimit,
// k8s.io/kubernetes pkg/apis/core/validation v1.37.2.
const noteMax = 1024

// apply binds the Pod or says why it waits.
func (r *Reconciler) apply(ctx context.Context, pod *corev1.Pod, p plan, now time.Time) error {
	if p.Node == "" {
		return r.refuse(ctx, pod, p.Message, now)
	}
	if len(p.Bindings.Bind)+len(p.Bindings.Provision) > 0 {
		return r.bindVolumes(ctx, p) // the Pod has a step when its claims are bound
	}
	err := r.api.Bind(ctx, r.who, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: p.Node},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.event(ctx, pod, corev1.EventTypeNormal, "Scheduled", "Successfully assigned "+pod.Namespace+"/"+pod.Name+" to "+p.Node)
	return nil
}

// bindVolumes reserves volumes for claims and asks for those that have to be made;
// the persistentvolume controller and a provisioner do the rest. Source:
// volumeBinder.bindAPIUpdate, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/volumebinding v1.37.2.
func (r *Reconciler) bindVolumes(ctx context.Context, p plan) error {
	for _, b := range p.Bindings.Bind {
		reserved, changed, err := volume.GetBindVolumeToClaim(b.Volume, b.Claim)
		if err == nil && changed {
			_, err = r.api.Update(ctx, r.who, engine.PersistentVolumes, "", reserved)
		}
		if err != nil {
			return err
		}
	}
	for _, claim := range p.Bindings.Provision {
		if metav1.HasAnnotation(claim.ObjectMeta, volume.AnnSelectedNode) {
			continue
		}
		claim = claim.DeepCopy()
		metav1.SetMetaDataAnnotation(&claim.ObjectMeta, volume.AnnSelectedNode, p.Node)
		if _, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, "", claim); err != nil {
			return err
		}
	}
	return nil
}

// refuse writes the condition and the Event.
//
// Deviation: only if the message is new; upstream repeats its Event with every
// try.
func (r *Reconciler) refuse(ctx context.Context, pod *corev1.Pod, message string, now time.Time) error {
	r.waiting.add(pod)
	_, have := podutil.GetPodCondition(&pod.Status, corev1.PodScheduled)
	if have != nil && have.Status == corev1.ConditionFalse && have.Reason == corev1.PodReasonUnschedulable && have.Message == message {
		return nil
	}
	note := message
	if len(note) > noteMax {
		note = note[:noteMax-len(" ...")] + " ..."
	}
	r.event(ctx, pod, corev1.EventTypeWarning, "FailedScheduling", note)
	_, err := r.api.Update(ctx, r.who, engine.Pods, "status", refused(pod, message, now))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// refused returns the Pod with the condition PodScheduled=False.
func refused(pod *corev1.Pod, message string, now time.Time) *corev1.Pod {
	pod = pod.DeepCopy()
	c := corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: message,
		ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(&pod.Status, pod.Generation, corev1.PodScheduled),
		LastTransitionTime: metav1.NewTime(now),
	}
	i, have := podutil.GetPodCondition(&pod.Status, corev1.PodScheduled)
	if have == nil {
		pod.Status.Conditions = append(pod.Status.Conditions, c)
		return pod
	}
	if have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	pod.Status.Conditions[i] = c
	return pod
}

func (r *Reconciler) event(ctx context.Context, pod *corev1.Pod, eventType, reason, message string) {
	r.recorder.Event(ctx, engine.Reference(pod, "v1", "Pod"), eventType, reason, "%s", message)
}
