package garbagecollector

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Keys implements engine.Reconciler. Most commits are of objects whose owners
// are well: they cost a look at the owner and no step.
func (r *Reconciler) Keys(c engine.Commit) []engine.Key {
	res, ok := r.byName[c.Resource]
	if !ok {
		return nil
	}
	n := node{c.Object, res}
	var keys []engine.Key
	switch {
	case c.Type == watch.Deleted:
		keys = keysOf(r.dependents(n.GetUID()))
	case waitsForDependents(n) || has(n, metav1.FinalizerOrphanDependents):
		keys = []engine.Key{n.key()}
		if waitsForDependents(n) && (c.Old == nil || !waitsForDependents(c.Old)) {
			keys = append(keys, keysOf(r.dependents(n.GetUID()))...)
		}
	case n.GetDeletionTimestamp() == nil && !r.solid(n):
		keys = []engine.Key{n.key()}
	}
	return append(keys, r.waitingOwners(c, n)...)
}

func keysOf(nodes []node) []engine.Key {
	var keys []engine.Key
	for _, n := range nodes {
		keys = append(keys, n.key())
	}
	return keys
}

// solid reports whether all of an object's owners are there to stay.
func (r *Reconciler) solid(n node) bool {
	for _, ref := range n.GetOwnerReferences() {
		if o := r.owner(n, ref); o.dangling() || o.waiting() || o.Unreachable {
			return false
		}
	}
	return true
}

// waitingOwners returns the owners that wait for the end of their dependents
// and for which c may have been the last one.
func (r *Reconciler) waitingOwners(c engine.Commit, n node) []engine.Key {
	before := n.GetOwnerReferences()
	if c.Type != watch.Deleted {
		if c.Old == nil || equality.Semantic.DeepEqual(c.Old.GetOwnerReferences(), before) {
			return nil
		}
		before = c.Old.GetOwnerReferences()
	}
	var keys []engine.Key
	for _, ref := range before {
		if o := r.owner(n, ref); o.waiting() {
			keys = append(keys, node{o.Object, r.resourceOf(ref)}.key())
		}
	}
	return keys
}

func has(obj engine.Object, finalizer string) bool {
	return obj.GetDeletionTimestamp() != nil && slices.Contains(obj.GetFinalizers(), finalizer)
}

// waitsForDependents reports whether obj is being deleted in the foreground.
func waitsForDependents(obj engine.Object) bool { return has(obj, metav1.FinalizerDeleteDependents) }
