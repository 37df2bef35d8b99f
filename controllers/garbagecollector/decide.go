package garbagecollector

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// plan is what happens to one object, in this order.
type plan struct {
	// Report is a new reference to an owner in another namespace.
	Report *metav1.OwnerReference
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
}

// decide returns what to do about n. Being deleted is a one-way trip: then only
// its dependents matter, else only its owners.
// Source: attemptToDeleteItem, k8s.io/kubernetes
// pkg/controller/garbagecollector v1.37.2.
func decide(n node, owners []owner, dependents []node) plan {
	p := plan{Report: foreign(owners)}
	switch {
	case has(n, metav1.FinalizerOrphanDependents):
		p.Orphan, p.Finalizer = dependents, metav1.FinalizerOrphanDependents
		return p
	case waitsForDependents(n):
		if !slices.ContainsFunc(dependents, func(d node) bool { return blocks(d, n.GetUID()) }) {
			p.Finalizer = metav1.FinalizerDeleteDependents
		}
		return p
	case n.GetDeletionTimestamp() != nil || len(owners) == 0 || slices.ContainsFunc(owners, func(o owner) bool { return o.Unresolved }):
		return p
	}
	solid, waiting := 0, 0
	for _, o := range owners {
		switch {
		case o.waiting():
			waiting++
			p.Forget = append(p.Forget, o.Ref.UID)
		case o.dangling():
			p.Forget = append(p.Forget, o.Ref.UID)
		default:
			solid++
		}
	}
	if solid > 0 {
		return p
	}
	p.Forget = nil
	if waiting == 0 || len(dependents) == 0 {
		p.Delete = propagation(n)
		return p
	}
	if slices.ContainsFunc(dependents, func(d node) bool { return waitsForDependents(d) }) && blocks(n, "") {
		// A circle, it seems. The owners have a step before n is deleted: upstream's
		// own patch makes its deletion fail at first.
		p.Unblock = true
		return p
	}
	p.Delete = metav1.DeletePropagationForeground
	return p
}

// foreign returns the first new reference that leads to another namespace. As
// upstream, it reports none behind another that is wrong.
func foreign(owners []owner) *metav1.OwnerReference {
	i := slices.IndexFunc(owners, func(o owner) bool { return o.New && (o.Foreign || o.Misnamed) })
	if i < 0 || owners[i].Misnamed {
		return nil
	}
	return &owners[i].Ref
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

// blocks reports whether d keeps its owner, or any if it is "", from going in the
// foreground.
func blocks(d engine.Object, owner types.UID) bool {
	return slices.ContainsFunc(d.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
		return (ref.UID == owner || owner == "") && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
	})
}

// dangling reports whether the reference leads nowhere.
func (o owner) dangling() bool { return !o.Unresolved && o.Object == nil }

// waiting reports whether the owner itself waits for its dependents to go.
func (o owner) waiting() bool { return o.Object != nil && waitsForDependents(o.Object) }
