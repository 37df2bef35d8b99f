package scheduler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// bind binds the Pod to a Node, after the volumes of its claims.
func (r *Reconciler) bind(ctx context.Context, pod *corev1.Pod, node *corev1.Node) error {
	volumes := r.volumesOf(pod)
	bindings, ok := volumes.on(node)
	if !ok {
		return fmt.Errorf("scheduler: the plugin VolumeBinding finds volumes on Node %s where there are none", node.Name)
	}
	if len(bindings.Bind)+len(bindings.Provision) > 0 {
		return r.bindVolumes(ctx, bindings, node.Name) // the Pod has a step when its claims are bound
	}
	err := r.api.Bind(ctx, r.who, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node.Name},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.event(ctx, pod, corev1.EventTypeNormal, "Scheduled", "Successfully assigned "+pod.Namespace+"/"+pod.Name+" to "+node.Name)
	return nil
}

// bindVolumes reserves volumes for claims and asks for those that have to be made;
// the persistentvolume controller and a provisioner do the rest. Source:
// volumeBinder.bindAPIUpdate, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/volumebinding v1.37.2.
func (r *Reconciler) bindVolumes(ctx context.Context, needed bindings, node string) error {
	for _, b := range needed.Bind {
		reserved, changed, err := volume.GetBindVolumeToClaim(b.Volume, b.Claim)
		if err == nil && changed {
			_, err = r.api.Update(ctx, r.who, engine.PersistentVolumes, "", reserved)
		}
		if err != nil {
			return err
		}
	}
	for _, claim := range needed.Provision {
		if metav1.HasAnnotation(claim.ObjectMeta, volume.AnnSelectedNode) {
			continue
		}
		claim = claim.DeepCopy()
		metav1.SetMetaDataAnnotation(&claim.ObjectMeta, volume.AnnSelectedNode, node)
		if _, err := r.api.Update(ctx, r.who, engine.PersistentVolumeClaims, "", claim); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) event(ctx context.Context, pod *corev1.Pod, eventType, reason, message string) {
	r.recorder.Event(ctx, engine.Reference(pod, "v1", "Pod"), eventType, reason, "%s", message)
}
