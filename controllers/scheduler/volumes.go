package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/storage/volume"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	corev1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
	"k8s.io/kubernetes/pkg/controller/volume/common"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// podsByClaim is the View's index of Pods by namespace/name of their claims.
const podsByClaim = "scheduler/claims"

// claimsOf returns namespace/name of the claims of a Pod.
func claimsOf(obj engine.Object) []string {
	keys, _ := common.PodPVCIndexFunc()(obj) // it never fails
	return keys
}

// podVolumes is what a Pod's claims have to do with where it can go; zero for one
// without claims.
//
// It follows the plugins VolumeRestrictions and VolumeBinding, k8s.io/kubernetes
// pkg/scheduler/framework/plugins v1.37.2.
type podVolumes struct {
	// Refusal is why it can go nowhere, empty if it can.
	Refusal string
	// Bound are the volumes of its bound claims, nil for one that does not exist.
	Bound []*corev1.PersistentVolume
	// Delayed are the claims whose volume is chosen with the Node, the smallest
	// first.
	Delayed []*corev1.PersistentVolumeClaim
	// InUse: another Pod has a claim of the mode ReadWriteOncePod.
	InUse bool
	// Volumes and Classes are all there are, by name, if there are delayed claims.
	Volumes []*corev1.PersistentVolume
	Classes []*storagev1.StorageClass
}

// volumesOf looks up what a Pod's claims need.
func (r *Reconciler) volumesOf(pod *corev1.Pod) podVolumes {
	var out podVolumes
	immediate := false
	for _, key := range claimsOf(pod) {
		name := key[len(pod.Namespace)+1:]
		claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, pod.Namespace, name)
		if why := refuseClaim(name, claim, ok); why != "" {
			return podVolumes{Refusal: why}
		}
		out.InUse = out.InUse || slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) && r.used(pod, key)
		class, _ := engine.Get[*storagev1.StorageClass](r.view, engine.StorageClasses, "", volume.GetPersistentVolumeClaimClass(claim))
		switch {
		case claim.Spec.VolumeName != "" && metav1.HasAnnotation(claim.ObjectMeta, volume.AnnBindCompleted):
			bound, _ := engine.Get[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "", claim.Spec.VolumeName)
			out.Bound = append(out.Bound, bound)
		case claim.Spec.VolumeName == "" && class != nil && ptr.Deref(class.VolumeBindingMode, "") == storagev1.VolumeBindingWaitForFirstConsumer:
			out.Delayed = append(out.Delayed, claim)
		default:
			immediate = true
		}
	}
	if immediate {
		return podVolumes{Refusal: "pod has unbound immediate PersistentVolumeClaims"}
	}
	if len(out.Delayed) > 0 {
		slices.SortStableFunc(out.Delayed, func(a, b *corev1.PersistentVolumeClaim) int {
			return a.Spec.Resources.Requests.Storage().Cmp(*b.Spec.Resources.Requests.Storage())
		})
		out.Volumes = engine.List[*corev1.PersistentVolume](r.view, engine.PersistentVolumes, "")
		out.Classes = engine.List[*storagev1.StorageClass](r.view, engine.StorageClasses, "")
	}
	return out
}

// refuseClaim says why no Pod with that claim can be placed. Source:
// VolumeBinding.podHasPVCs, k8s.io/kubernetes pkg/scheduler/framework/plugins/volumebinding
// v1.37.2.
func refuseClaim(name string, claim *corev1.PersistentVolumeClaim, exists bool) string {
	switch {
	case !exists:
		return fmt.Sprintf("persistentvolumeclaim %q not found", name)
	case claim.Status.Phase == corev1.ClaimLost:
		return fmt.Sprintf("persistentvolumeclaim %q bound to non-existent persistentvolume %q", name, claim.Spec.VolumeName)
	case claim.DeletionTimestamp != nil:
		return fmt.Sprintf("persistentvolumeclaim %q is being deleted", name)
	}
	return ""
}

// used reports whether another Pod that has a Node and has not ended has the
// claim.
func (r *Reconciler) used(pod *corev1.Pod, claim string) bool {
	return slices.ContainsFunc(engine.ByIndex[*corev1.Pod](r.view, engine.Pods, podsByClaim, claim), func(other *corev1.Pod) bool {
		return other.UID != pod.UID && other.Spec.NodeName != "" && !podutil.IsPodTerminal(other)
	})
}

// bindings are what has to become of a Pod's claims before it can go to a Node.
type bindings struct {
	// Bind are volumes that exist, with their claims.
	Bind []volumeBinding
	// Provision are the claims for which one has to be made there.
	Provision []*corev1.PersistentVolumeClaim
}

type volumeBinding struct {
	Volume *corev1.PersistentVolume
	Claim  *corev1.PersistentVolumeClaim
}

// on returns what has to become of the claims, or why the Pod cannot go to the
// Node. Source: volumeBinder.FindPodVolumes, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/volumebinding v1.37.2.
func (v *podVolumes) on(node *corev1.Node) (bindings, []string) {
	var reasons []string
	for _, bound := range v.Bound {
		if bound == nil {
			return bindings{}, []string{"node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"}
		}
		if volume.CheckNodeAffinity(bound, node.Labels) != nil {
			reasons = []string{"node(s) didn't match PersistentVolume's node affinity"}
			break
		}
	}
	b, ok := v.delayedOn(node)
	if !ok {
		reasons = append(reasons, "node(s) didn't find available persistent volumes to bind")
	}
	return b, reasons
}

// delayedOn finds volumes for the delayed claims; ok is false if one can neither
// be found nor made.
func (v *podVolumes) delayedOn(node *corev1.Node) (b bindings, ok bool) {
	chosen := map[string]*corev1.PersistentVolume{}
	for _, claim := range v.Delayed {
		if selected, has := claim.Annotations[volume.AnnSelectedNode]; has {
			if selected != node.Name {
				return bindings{}, false
			}
			b.Provision = append(b.Provision, claim)
			continue
		}
		found, err := volume.FindMatchingVolume(claim, v.Volumes, node, chosen, true, true)
		switch {
		case err != nil: // a selector that validation does not let pass
			return bindings{}, false
		case found != nil:
			chosen[found.Name] = found
			b.Bind = append(b.Bind, volumeBinding{found, claim})
		case !v.canProvision(claim, node):
			return bindings{}, false
		default:
			b.Provision = append(b.Provision, claim)
		}
	}
	return b, true
}

// canProvision reports whether the claim's class makes volumes for the Node.
// Source: volumeBinder.checkVolumeProvisions, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/volumebinding v1.37.2.
func (v *podVolumes) canProvision(claim *corev1.PersistentVolumeClaim, node *corev1.Node) bool {
	name := volume.GetPersistentVolumeClaimClass(claim)
	at, ok := slices.BinarySearchFunc(v.Classes, name, func(c *storagev1.StorageClass, name string) int { return cmp.Compare(c.Name, name) })
	return ok && v.Classes[at].Provisioner != "" && v.Classes[at].Provisioner != volume.NotSupportedProvisioner &&
		corev1helper.MatchTopologySelectorTerms(v.Classes[at].AllowedTopologies, labels.Set(node.Labels))
}
