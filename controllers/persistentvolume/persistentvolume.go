// Package persistentvolume binds PersistentVolumeClaims to PersistentVolumes.
//
// Invariant: a claim and a volume that are bound name each other, the volume
// first; a volume is given back, kept or deleted only after its claim is gone.
//
// It follows k8s.io/kubernetes pkg/controller/volume/persistentvolume v1.37.2.
// Volumes are provisioned by others, see package localpath.
//
// Deviation: upstream looks at every claim and volume again each 15 seconds and
// repeats its Events; we do when something changes that they wait for.
package persistentvolume

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller/volume/common"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "persistentvolume"

// Reconciler binds claims. Its keys are claims, with a namespace, and volumes,
// without.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	who      engine.Identity
}

var _ engine.Reconciler = (*Reconciler)(nil)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	host.View.Track(engine.StorageClasses)
	host.View.Index(engine.PersistentVolumes, byClaimRef, func(obj engine.Object) []string {
		if ref := obj.(*corev1.PersistentVolume).Spec.ClaimRef; ref != nil {
			return []string{ref.Namespace + "/" + ref.Name}
		}
		return nil
	})
	host.View.Index(engine.PersistentVolumeClaims, unbound, func(obj engine.Object) []string {
		if bindCompleted(obj.(*corev1.PersistentVolumeClaim)) {
			return nil
		}
		return []string{unbound}
	})
	claims := common.PodPVCIndexFunc()
	host.View.Index(engine.Pods, podsByClaim, func(obj engine.Object) []string {
		keys, _ := claims(obj) // it never fails
		return keys
	})
	return &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who: engine.ControllerIdentity("persistent-volume-binder"),
	}, nil
}

// The View's indexes: volumes and Pods by namespace/name of the claim that they
// name, and the claims that are not bound.
const (
	byClaimRef  = "persistentvolume/claimRef"
	podsByClaim = "persistentvolume/claims"
	unbound     = "persistentvolume/unbound"
)

func bindCompleted(claim *corev1.PersistentVolumeClaim) bool {
	return metav1.HasAnnotation(claim.ObjectMeta, volume.AnnBindCompleted)
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// Observe implements engine.Reconciler.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	switch obj := c.Object.(type) {
	case *corev1.PersistentVolumeClaim:
		keys := []engine.Key{{Controller: Name, Namespace: obj.Namespace, Name: obj.Name}}
		for _, v := range engine.ByIndex[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, byClaimRef, obj.Namespace+"/"+obj.Name) {
			keys = append(keys, engine.Key{Controller: Name, Name: v.Name})
		}
		return keys
	case *corev1.PersistentVolume:
		keys := []engine.Key{{Controller: Name, Name: obj.Name}}
		if ref := obj.Spec.ClaimRef; ref != nil {
			return append(keys, engine.Key{Controller: Name, Namespace: ref.Namespace, Name: ref.Name})
		}
		return append(keys, r.unboundKeys()...)
	case *storagev1.StorageClass:
		return r.unboundKeys()
	}
	return nil
}

func (r *Reconciler) unboundKeys() []engine.Key {
	var keys []engine.Key
	for _, claim := range engine.ByIndex[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, unbound, unbound) {
		keys = append(keys, engine.Key{Controller: Name, Namespace: claim.Namespace, Name: claim.Name})
	}
	return keys
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	if key.Namespace == "" {
		return engine.Wake{}, r.reconcileVolume(ctx, key.Name)
	}
	claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	return engine.Wake{}, r.applyClaim(ctx, claim, decideClaim(r.around(claim)))
}

// around is what the cluster holds for a claim.
func (r *Reconciler) around(claim *corev1.PersistentVolumeClaim) claimState {
	s := claimState{
		claim:   claim,
		volumes: engine.List[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, ""),
		classes: engine.List[*storagev1.StorageClass](r.view, engine.StorageClasses, ""),
	}
	for _, pod := range engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByClaim, claim.Namespace+"/"+claim.Name) {
		if pod.Spec.NodeName == "" && !podutil.IsPodTerminal(pod) {
			s.pods = append(s.pods, pod.Name)
		}
	}
	return s
}

func (r *Reconciler) reconcileVolume(ctx context.Context, name string) error {
	v, ok := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", name)
	if !ok {
		return nil
	}
	var claim *corev1.PersistentVolumeClaim
	if ref := v.Spec.ClaimRef; ref != nil {
		claim, _ = engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, ref.Namespace, ref.Name)
	}
	return r.applyVolume(ctx, v, claim, decideVolume(v, claim))
}
