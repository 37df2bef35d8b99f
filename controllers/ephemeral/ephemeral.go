// Package ephemeral makes the claims of Pods' generic ephemeral volumes.
//
// Invariant: a Pod that is not being deleted has a claim for each of its ephemeral
// volumes, which it owns; another's claim of that name is left alone.
//
// It follows k8s.io/kubernetes pkg/controller/volume/ephemeral v1.37.2.
package ephemeral

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/component-helpers/storage/ephemeral"
	"k8s.io/kubernetes/pkg/controller/volume/common"
	"k8s.io/kubernetes/pkg/controller/volume/ephemeral/metrics"
	"k8s.io/kubernetes/pkg/controller/volume/events"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "ephemeral"

// podsByClaim is the View's index of Pods by namespace/name of their claims.
const podsByClaim = "ephemeral/claims"

// Reconciler reconciles Pods.
type Reconciler struct {
	engine.Host
	who engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	metrics.RegisterMetrics()
	host.View.Track(engine.PersistentVolumeClaims)
	host.View.Index(engine.Pods, podsByClaim, func(o engine.Object) []string {
		if !wants(o.(*corev1.Pod)) {
			return nil
		}
		keys, _ := common.PodPVCIndexFunc()(o) // it never fails
		return keys
	})
	return &Reconciler{Host: host, who: engine.ControllerIdentity("ephemeral-volume-controller")}, nil
}

// wants reports whether a Pod has an ephemeral volume that needs a claim.
func wants(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Ephemeral != nil {
			return pod.DeletionTimestamp == nil
		}
	}
	return false
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch o := c.Object.(type) {
	case *corev1.Pod:
		if c.Type == watch.Added && wants(o) {
			return []engine.Key{{Controller: Name, Namespace: o.Namespace, Name: o.Name}}
		}
	case *corev1.PersistentVolumeClaim:
		if c.Type != watch.Deleted {
			return nil
		}
		var keys []engine.Key
		for _, pod := range engine.ByIndex[*corev1.Pod](r.View, engine.Pods, podsByClaim, o.Namespace+"/"+o.Name) {
			keys = append(keys, engine.Key{Controller: Name, Namespace: pod.Namespace, Name: pod.Name})
		}
		return keys
	}
	return nil
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	pod, ok := engine.Get[*corev1.Pod](r.View, engine.Pods, key.Namespace, key.Name)
	if !ok || !wants(pod) {
		return engine.Wake{}, nil
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Ephemeral == nil {
			continue
		}
		if err := r.provide(ctx, pod, v); err != nil {
			r.Recorder.Event(ctx, engine.Reference(pod, "v1", "Pod"), corev1.EventTypeWarning, events.FailedBinding, "ephemeral volume %s: %v", v.Name, err)
			return engine.Wake{}, fmt.Errorf("pod %s/%s, ephemeral volume %s: %w", pod.Namespace, pod.Name, v.Name, err)
		}
	}
	return engine.Wake{}, nil
}

// provide is upstream's handleVolume.
func (r *Reconciler) provide(ctx context.Context, pod *corev1.Pod, v *corev1.Volume) error {
	have, _ := engine.Get[*corev1.PersistentVolumeClaim](r.View, engine.PersistentVolumeClaims, pod.Namespace, ephemeral.VolumeClaimName(pod, v))
	want, err := decide(pod, v, have)
	if want == nil || err != nil {
		return err
	}
	metrics.EphemeralVolumeCreateAttempts.Inc()
	if _, err := r.API.Create(ctx, r.who, engine.PersistentVolumeClaims, want); err != nil {
		metrics.EphemeralVolumeCreateFailures.Inc()
		return fmt.Errorf("create PVC %s: %w", want.Name, err)
	}
	return nil
}

// decide returns the claim to create for a volume of pod. have is the one of that name,
// nil if there is none.
func decide(pod *corev1.Pod, v *corev1.Volume, have *corev1.PersistentVolumeClaim) (*corev1.PersistentVolumeClaim, error) {
	if have != nil {
		return nil, ephemeral.VolumeIsForPod(pod, have)
	}
	template := v.Ephemeral.VolumeClaimTemplate.DeepCopy()
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: ephemeral.VolumeClaimName(pod, v), Annotations: template.Annotations, Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(pod, corev1.SchemeGroupVersion.WithKind("Pod"))},
		},
		Spec: template.Spec,
	}, nil
}
