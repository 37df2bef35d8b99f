package statefulset

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func podKind() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("Pod") }

// claimName is getPersistentVolumeClaimName, k8s.io/kubernetes pkg/controller/statefulset
// v1.37.2.
func claimName(set *appsv1.StatefulSet, template string, ordinal int) string {
	return fmt.Sprintf("%s-%s-%d", template, set.Name, ordinal)
}

// newClaim returns the claim of a template and an ordinal.
func newClaim(set *appsv1.StatefulSet, template *corev1.PersistentVolumeClaim, ordinal int) *corev1.PersistentVolumeClaim {
	claim := template.DeepCopy()
	claim.Name, claim.Namespace = claimName(set, template.Name, ordinal), set.Namespace
	if claim.Labels == nil {
		claim.Labels = map[string]string{}
	}
	maps.Copy(claim.Labels, set.Spec.Selector.MatchLabels)
	return claim
}

// missing are the claims that a Pod needs and that are not there, and refusals why it
// cannot have others. Source: createPersistentVolumeClaims in k8s.io/kubernetes
// pkg/controller/statefulset v1.37.2.
func (s *step) missing(ordinal int) (missing []*corev1.PersistentVolumeClaim, refusals []error) {
	for i := range s.set.Spec.VolumeClaimTemplates {
		template := &s.set.Spec.VolumeClaimTemplates[i]
		switch claim, found := s.Claim(claimName(s.set, template.Name, ordinal)); {
		case !found:
			missing = append(missing, newClaim(s.set, template, ordinal))
		case claim.DeletionTimestamp != nil:
			refusals = append(refusals, fmt.Errorf("pvc %s is being deleted", claim.Name))
		}
	}
	return missing, refusals
}

// owners says which of a Pod's claims are to get other owners, or belong to somebody else.
// Source: UpdatePodClaimForRetentionPolicy in k8s.io/kubernetes pkg/controller/statefulset
// v1.37.2.
func (s *step) owners(pod *corev1.Pod) []owners {
	var out []owners
	for _, template := range s.set.Spec.VolumeClaimTemplates {
		claim, found := s.Claim(claimName(s.set, template.Name, ordinalOf(pod)))
		if !found {
			continue
		}
		var o owners
		if alien(claim, s.set, pod) {
			o.Conflict = claim.Name
		}
		if !owned(claim, s.set, pod) {
			next := *claim
			next.OwnerReferences = ownersOf(claim, s.set, pod)
			o.Changed = &next
		}
		if o != (owners{}) {
			out = append(out, o)
		}
	}
	return out
}

// change reports whether any of the claims gets other owners.
func change(list []owners) bool {
	return slices.ContainsFunc(list, func(o owners) bool { return o.Changed != nil })
}

// isStale reports whether a claim belongs to a Pod of the same name that is gone, and so
// will go. Source: PodClaimIsStale in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func (s *step) isStale(pod *corev1.Pod) bool {
	if whenScaled, _ := deletes(s.set); !whenScaled {
		return false
	}
	for _, template := range s.set.Spec.VolumeClaimTemplates {
		claim, found := s.Claim(claimName(s.set, template.Name, ordinalOf(pod)))
		if found && refersToEarlier(claim, pod, podKind()) {
			return true
		}
	}
	return false
}

// deletes are the cases in which set's claims go.
func deletes(set *appsv1.StatefulSet) (whenScaled, whenDeleted bool) {
	policy := set.Spec.PersistentVolumeClaimRetentionPolicy
	if policy == nil {
		return false, false
	}
	return policy.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType, policy.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
}

// wantedOwners say whether a Pod's claims go with the StatefulSet or with the Pod.
func wantedOwners(set *appsv1.StatefulSet, pod *corev1.Pod) (bySet, byPod bool) {
	whenScaled, whenDeleted := deletes(set)
	byPod = whenScaled && !inRange(set, ordinalOf(pod))
	return whenDeleted && !byPod, byPod
}

// owned reports whether a claim has the owners that it should have, or is not for us to
// change. Source: isClaimOwnerUpToDate in k8s.io/kubernetes pkg/controller/statefulset
// v1.37.2.
func owned(claim *corev1.PersistentVolumeClaim, set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	if refersToEarlier(claim, set, kind()) || refersToEarlier(claim, pod, podKind()) {
		return true
	}
	ofSet, ofPod := hasOwner(claim, set), hasOwner(claim, pod)
	if alien(claim, set, pod) {
		return !ofSet && !ofPod
	}
	for _, ref := range claim.OwnerReferences {
		if (ref.UID == set.UID || ref.UID == pod.UID) && !controls(ref) {
			return false
		}
	}
	bySet, byPod := wantedOwners(set, pod)
	return ofSet == bySet && ofPod == byPod
}

// ownersOf is updateClaimOwnerRefForSetAndPod, k8s.io/kubernetes
// pkg/controller/statefulset v1.37.2.
func ownersOf(claim *corev1.PersistentVolumeClaim, set *appsv1.StatefulSet, pod *corev1.Pod) []metav1.OwnerReference {
	refs := slices.DeleteFunc(slices.Clone(claim.OwnerReferences), func(ref metav1.OwnerReference) bool {
		return refersTo(ref, set, kind()) || refersTo(ref, pod, podKind())
	})
	if alien(claim, set, pod) {
		return refs
	}
	bySet, byPod := wantedOwners(set, pod)
	for _, owner := range []struct {
		wanted bool
		metav1.Object
		kind schema.GroupVersionKind
	}{{byPod, pod, podKind()}, {bySet, set, kind()}} {
		if owner.wanted && !slices.ContainsFunc(refs, func(ref metav1.OwnerReference) bool { return ref.UID == owner.GetUID() }) {
			refs = append(refs, *metav1.NewControllerRef(owner.Object, owner.kind))
		}
	}
	return refs
}

// alien reports whether set's policy deletes claims, and somebody else controls this one:
// also a StatefulSet or a Pod of the same name that was there before. Source:
// hasUnexpectedController in k8s.io/kubernetes pkg/controller/statefulset v1.37.2.
func alien(claim *corev1.PersistentVolumeClaim, set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	if whenScaled, whenDeleted := deletes(set); !whenScaled && !whenDeleted {
		return false
	}
	return slices.ContainsFunc(claim.OwnerReferences, func(ref metav1.OwnerReference) bool {
		switch {
		case refersTo(ref, set, kind()):
			return ref.UID != set.UID
		case refersTo(ref, pod, podKind()):
			return ref.UID != pod.UID
		}
		return controls(ref)
	})
}

// refersTo reports whether ref has the name and the kind of obj. It may lead to an earlier
// object of this name.
func refersTo(ref metav1.OwnerReference, obj metav1.Object, gvk schema.GroupVersionKind) bool {
	return ref.APIVersion == gvk.GroupVersion().String() && ref.Kind == gvk.Kind && ref.Name == obj.GetName()
}

// refersToEarlier reports whether claim belongs to an earlier object of obj's name.
func refersToEarlier(claim *corev1.PersistentVolumeClaim, obj metav1.Object, gvk schema.GroupVersionKind) bool {
	for _, ref := range claim.OwnerReferences {
		if refersTo(ref, obj, gvk) {
			return ref.UID != obj.GetUID()
		}
	}
	return false
}

func hasOwner(claim *corev1.PersistentVolumeClaim, owner metav1.Object) bool {
	return slices.ContainsFunc(claim.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == owner.GetUID() })
}

func controls(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller }
