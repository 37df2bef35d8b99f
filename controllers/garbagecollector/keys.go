package garbagecollector

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Observe implements engine.Reconciler. Most commits change nothing about owners:
// they cost a comparison and no step.
func (r *Reconciler) Observe(c engine.Commit) []engine.Key {
	res, ok := r.resource(c.Resource)
	if !ok {
		return nil
	}
	n := node{c.Object, res}
	if c.Type == watch.Deleted {
		return append(keysOf(r.dependents(n.GetUID())), r.waitingOwners(c)...)
	}
	// Upstream's order, in the graph builder: who waits for n may wait no more,
	// n may have lost its owners, n may begin to wait. Dependents come before their
	// owner: while it is there they follow it in the foreground.
	keys := r.waitingOwners(c)
	news := newReferences(c)
	if !r.solid(n, news) || r.unknownBefore(c) || r.unblocked(c) {
		keys = append(keys, n.key())
		r.note(n.key(), news)
	}
	if waitsForDependents(n) && (c.Old == nil || !waitsForDependents(c.Old)) {
		keys = append(keys, keysOf(r.dependents(n.GetUID()))...)
	}
	if waitsForDependents(n) || has(n, metav1.FinalizerOrphanDependents) {
		keys = append(keys, n.key())
	}
	return keys
}

// ObserveServed implements engine.ServedObserver. References that led to an unknown
// kind can be followed when it has come: upstream tries them again and again until then.
func (r *Reconciler) ObserveServed(s engine.Served, gone bool) []engine.Key {
	if gone {
		maps.DeleteFunc(r.news, func(key engine.Key, _ []types.UID) bool { return key.Kind == string(s.Name) })
		return nil
	}
	if !collected(s) {
		return nil
	}
	var keys []engine.Key
	for res := range r.resources() {
		for _, obj := range engine.List[engine.Object](r.view, res.Name, "") {
			if slices.ContainsFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
				return s.Is(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
			}) {
				keys = append(keys, node{obj, res}.key())
			}
		}
	}
	return keys
}

// unknownBefore reports whether c's object had a reference to an unknown kind, and
// has got others. Upstream tries it again and again until then; but not an object
// whose first bad reference leads from the cluster into a namespace.
func (r *Reconciler) unknownBefore(c engine.Commit) bool {
	if !referencesChanged(c) {
		return false
	}
	refs := c.Old.GetOwnerReferences()
	i := slices.IndexFunc(refs, func(ref metav1.OwnerReference) bool { return r.owner(node{Object: c.Old}, ref).Unresolved })
	return i >= 0 && !r.knows(refs[i])
}

// unblocked reports whether c's object blocks none of its owners any more although
// some wait: half of what breaks a circle.
func (r *Reconciler) unblocked(c engine.Commit) bool {
	return c.Old != nil && blocks(c.Old, "") && !blocks(c.Object, "") &&
		slices.ContainsFunc(c.Object.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return r.owner(node{Object: c.Object}, ref).waiting() })
}

func referencesChanged(c engine.Commit) bool {
	return c.Old != nil && !slices.EqualFunc(c.Old.GetOwnerReferences(), c.Object.GetOwnerReferences(), func(a, b metav1.OwnerReference) bool {
		return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name && a.UID == b.UID &&
			ptr.Equal(a.Controller, b.Controller) && ptr.Equal(a.BlockOwnerDeletion, b.BlockOwnerDeletion)
	})
}

// newReferences returns the references to owners that c's object did not have
// before. Upstream does not look at an owner again that it knows by another name
// or kind.
func newReferences(c engine.Commit) []metav1.OwnerReference {
	var out []metav1.OwnerReference
	for _, ref := range c.Object.GetOwnerReferences() {
		if c.Old == nil || !refersTo(c.Old, ref.UID) {
			out = append(out, ref)
		}
	}
	return out
}

func refersTo(obj engine.Object, owner types.UID) bool {
	return slices.ContainsFunc(obj.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.UID == owner })
}

func (r *Reconciler) note(key engine.Key, news []metav1.OwnerReference) {
	for _, ref := range news {
		r.news[key] = append(r.news[key], ref.UID)
	}
}

func keysOf(nodes []node) []engine.Key {
	var keys []engine.Key
	for _, n := range nodes {
		keys = append(keys, n.key())
	}
	return keys
}

// solid reports whether all of these owners are there to stay.
func (r *Reconciler) solid(n node, refs []metav1.OwnerReference) bool {
	return !slices.ContainsFunc(refs, func(ref metav1.OwnerReference) bool {
		o := r.owner(n, ref)
		return o.Object == nil || o.waiting()
	})
}

// waitingOwners returns the owners that wait for the end of their dependents
// and for which c may have been the last one.
func (r *Reconciler) waitingOwners(c engine.Commit) []engine.Key {
	before := c.Object
	if c.Type != watch.Deleted {
		if !referencesChanged(c) {
			return nil
		}
		before = c.Old
	}
	var keys []engine.Key
	for _, ref := range before.GetOwnerReferences() {
		if o, ok := r.find(ref.UID); ok && waitsForDependents(o) {
			keys = append(keys, o.key())
		}
	}
	return keys
}

func has(obj engine.Object, finalizer string) bool {
	return obj.GetDeletionTimestamp() != nil && slices.Contains(obj.GetFinalizers(), finalizer)
}

// waitsForDependents reports whether obj is being deleted in the foreground.
func waitsForDependents(obj engine.Object) bool { return has(obj, metav1.FinalizerDeleteDependents) }
