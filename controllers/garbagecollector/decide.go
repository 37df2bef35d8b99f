package garbagecollector

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// plan is what happens to one object, in this order.
type plan struct {
	// Orphan are dependents that lose their reference to the object.
	Orphan []node
	// Finalizer is taken from the object.
	Finalizer string
	// Forget are owners whose references the object loses.
	Forget []types.UID
	// Unblock makes all of the object's references non-blocking.
	Unblock bool
	// Delete deletes the object with this policy.
	Delete metav1.DeletionPropagation
	// Refused are references that cannot be right.
	Refused []metav1.OwnerReference
}

// decide returns what to do about n. Being deleted is a one-way trip: then only
// its dependents matter, else only its owners.
// Source: attemptToDeleteItem, k8s.io/kubernetes
// pkg/controller/garbagecollector v1.37.2.
func decide(n node, owners []owner, dependents []node) plan {
	switch {
	case has(n, metav1.FinalizerOrphanDependents):
		return plan{Orphan: dependents, Finalizer: metav1.FinalizerOrphanDependents}
	case waitsForDependents(n):
		if slices.ContainsFunc(dependents, func(d node) bool { return blocks(d, n.GetUID()) }) {
			return plan{}
		}
		return plan{Finalizer: metav1.FinalizerDeleteDependents}
	case n.GetDeletionTimestamp() != nil || len(owners) == 0:
		return plan{}
	}
	var solid, dangling, waiting int
	var p plan
	for _, o := range owners {
		switch {
		case o.Unreachable:
			p.Refused = append(p.Refused, o.Ref)
		case o.waiting():
			waiting++
			p.Forget = append(p.Forget, o.Ref.UID)
		case o.dangling():
			dangling++
			p.Forget = append(p.Forget, o.Ref.UID)
		default:
			solid++
		}
	}
	switch {
	case len(p.Refused) > 0:
		return plan{Refused: p.Refused}
	case solid > 0:
		return p
	case waiting > 0 && len(dependents) > 0:
		return plan{Delete: metav1.DeletePropagationForeground, Unblock: slices.ContainsFunc(dependents, func(d node) bool { return waitsForDependents(d) })}
	}
	return plan{Delete: propagation(n)}
}

// propagation honours a finalizer that asks for a policy.
func propagation(n node) metav1.DeletionPropagation {
	switch {
	case slices.Contains(n.GetFinalizers(), metav1.FinalizerOrphanDependents):
		return metav1.DeletePropagationOrphan
	case slices.Contains(n.GetFinalizers(), metav1.FinalizerDeleteDependents):
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}

// blocks reports whether d keeps its owner from going in the foreground.
func blocks(d node, owner types.UID) bool {
	return slices.ContainsFunc(d.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
		return ref.UID == owner && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
	})
}

// dangling reports whether the reference leads nowhere.
func (o owner) dangling() bool { return o.Known && o.Object == nil }

// waiting reports whether the owner itself waits for its dependents to go.
func (o owner) waiting() bool { return o.Object != nil && waitsForDependents(o.Object) }

// refusal is the message of the Event OwnerRefInvalidNamespace.
func refusal(ref metav1.OwnerReference, namespace string) string {
	return fmt.Sprintf("ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
		ref.APIVersion, ref.Kind, namespace, ref.Name, ref.UID, namespace)
}
