package scheduler

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/storage/volume"
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

// podVolumes are the claims of a Pod whose volumes are chosen with the Node; zero for one
// without such claims. Whether a Node will do is what upstream's plugin VolumeBinding says.
type podVolumes struct {
	// Delayed are the claims, the smallest first.
	Delayed []*corev1.PersistentVolumeClaim
	// Volumes and Classes are all there are, by name, if there are delayed claims.
	Volumes []*corev1.PersistentVolume
	Classes []*storagev1.StorageClass
}

// volumesOf looks up what a Pod's claims need.
func (r *Reconciler) volumesOf(pod *corev1.Pod) podVolumes {
	var out podVolumes
	for _, key := range claimsOf(pod) {
		claim, ok := engine.Get[*corev1.PersistentVolumeClaim](r.view, engine.PersistentVolumeClaims, pod.Namespace, key[len(pod.Namespace)+1:])
		if !ok || claim.Spec.VolumeName != "" {
			continue
		}
		class, ok := engine.Get[*storagev1.StorageClass](r.view, engine.StorageClasses, "", volume.GetPersistentVolumeClaimClass(claim))
		if ok && ptr.Deref(class.VolumeBindingMode, "") == storagev1.VolumeBindingWaitForFirstConsumer {
			out.Delayed = append(out.Delayed, claim)
		}
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

// on finds volumes for the delayed claims on a Node; ok is false if one can neither be found
// nor made. Source: volumeBinder.FindPodVolumes, k8s.io/kubernetes
// pkg/scheduler/framework/plugins/volumebinding v1.37.2, whose result cannot be read.
func (v *podVolumes) on(node *corev1.Node) (b bindings, ok bool) {
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
