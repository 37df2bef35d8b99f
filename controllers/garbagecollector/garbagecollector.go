// Package garbagecollector deletes objects whose owners are gone, and sees
// foreground and orphan deletions of owners through.
//
// Invariant: an object is deleted only if none of its owner references leads to
// an object with the UID that the reference names. While one of them leads to a
// kind or a version that the server does not know, nobody can tell, and nothing
// happens.
//
// It follows k8s.io/kubernetes pkg/controller/garbagecollector v1.37.2.
//
// Deviation: there is no graph; the View's index by owner UID is one.
package garbagecollector

import (
	"context"
	"iter"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller/garbagecollector/metrics"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Name is the reconciler's name in the queue and in the event log.
const Name = "garbagecollector"

// collected reports whether the owners of a resource's objects are followed: of all but
// Events.
// Source: DefaultIgnoredResources, k8s.io/kubernetes pkg/controller/garbagecollector v1.37.2.
func collected(s engine.Served) bool { return s.Name.GroupResource().Resource != "events" }

// Reconciler collects garbage. The Kind of its keys is the resource.
type Reconciler struct {
	view     *engine.View
	api      engine.API
	recorder *engine.EventRecorder
	who      engine.Identity
	// news holds the owners in new references of an object, until its next step:
	// only then is somebody told of those in other namespaces. At rest it is
	// empty.
	news map[engine.Key][]types.UID
}

var _ engine.ServedObserver = (*Reconciler)(nil)

const (
	// ownerIndex files every object under the UIDs of its owners.
	ownerIndex = "garbagecollector-owner"
	// uidIndex files every object under its own UID.
	uidIndex = "garbagecollector-uid"
)

// New returns a Reconciler. It must be called before the engine starts.
func New(host engine.Host) (*Reconciler, error) {
	if err := host.ValidateTeller(Name); err != nil {
		return nil, err
	}
	metrics.Register()
	r := &Reconciler{
		view: host.View, api: host.API, recorder: host.Recorder,
		who:  engine.ControllerIdentity("generic-garbage-collector"),
		news: map[engine.Key][]types.UID{},
	}
	host.View.IndexServed(ownerIndex, collected, ownerUIDs)
	host.View.IndexServed(uidIndex, collected, func(obj engine.Object) []string { return []string{string(obj.GetUID())} })
	return r, nil
}

func ownerUIDs(obj engine.Object) []string {
	refs := obj.GetOwnerReferences()
	if len(refs) == 0 {
		return nil
	}
	uids := make([]string, len(refs))
	for i := range refs {
		uids[i] = string(refs[i].UID)
	}
	return uids
}

// Name implements engine.Reconciler.
func (r *Reconciler) Name() string { return Name }

// node is an object with what it is.
type node struct {
	engine.Object
	resource engine.Served
}

func (n node) key() engine.Key {
	return engine.Key{Controller: Name, Kind: string(n.resource.Name), Namespace: n.GetNamespace(), Name: n.GetName()}
}

// Reconcile implements engine.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, key engine.Key, _ time.Time) (engine.Wake, error) {
	news := r.news[key]
	delete(r.news, key)
	res, ok := r.resource(engine.Resource(key.Kind))
	if !ok {
		return engine.Wake{}, nil
	}
	obj, ok := engine.Get[engine.Object](r.view, res.Name, key.Namespace, key.Name)
	if !ok {
		return engine.Wake{}, nil
	}
	n := node{obj, res}
	return engine.Wake{}, r.apply(ctx, n, decide(n, r.owners(n, news), r.dependents(n.GetUID())))
}

// resource returns one that is looked after.
func (r *Reconciler) resource(name engine.Resource) (engine.Served, bool) {
	s, ok := r.view.ServedResource(name)
	return s, ok && collected(s)
}

// resources are all that is looked after, by name.
func (r *Reconciler) resources() iter.Seq[engine.Served] {
	return func(yield func(engine.Served) bool) {
		for _, s := range r.view.Served() {
			if collected(s) && !yield(s) {
				return
			}
		}
	}
}

// dependents returns the objects with a reference to uid, by resource, then
// namespace and name.
func (r *Reconciler) dependents(uid types.UID) []node {
	var out []node
	for res := range r.resources() {
		for _, obj := range engine.ByIndex[engine.Object](r.view, res.Name, ownerIndex, string(uid)) {
			out = append(out, node{obj, res})
		}
	}
	return out
}

// find returns the object with a UID, whatever it is and wherever it lives.
func (r *Reconciler) find(uid types.UID) (node, bool) {
	for res := range r.resources() {
		if found := engine.ByIndex[engine.Object](r.view, res.Name, uidIndex, string(uid)); len(found) > 0 {
			return node{found[0], res}, true
		}
	}
	return node{}, false
}

// owner is one owner reference with what it leads to.
type owner struct {
	Ref metav1.OwnerReference
	// Object is nil if there is none with the reference's UID.
	Object engine.Object
	// Unresolved: nobody can tell whether there is one. The server does not know
	// the kind, or a cluster-wide object names an owner in a namespace.
	Unresolved bool
	// Foreign: the UID is that of an object in another namespace. Misnamed: of one
	// within reach, of another kind or name.
	Foreign, Misnamed bool
	// New: the object had no reference to this UID before.
	New bool
}

func (r *Reconciler) owners(n node, news []types.UID) []owner {
	var out []owner
	for _, ref := range n.GetOwnerReferences() {
		o := r.owner(n, ref)
		o.New = slices.Contains(news, ref.UID)
		if found, ok := r.find(ref.UID); ok && o.Object == nil {
			o.Foreign = found.resource.Namespaced && found.GetNamespace() != n.GetNamespace()
			o.Misnamed = !o.Foreign
		}
		out = append(out, o)
	}
	return out
}

// knows reports whether the server serves what ref leads to.
func (r *Reconciler) knows(ref metav1.OwnerReference) bool {
	_, ok := r.kind(ref)
	return ok
}

// kind returns what ref leads to.
func (r *Reconciler) kind(ref metav1.OwnerReference) (engine.Served, bool) {
	s, ok := r.view.ServedKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	return s, ok && collected(s)
}

// owner follows a reference, but does not look further.
func (r *Reconciler) owner(n node, ref metav1.OwnerReference) owner {
	res, known := r.kind(ref)
	if !known || res.Namespaced && n.GetNamespace() == "" {
		return owner{Ref: ref, Unresolved: true}
	}
	namespace := ""
	if res.Namespaced {
		namespace = n.GetNamespace()
	}
	o := owner{Ref: ref}
	if obj, ok := engine.Get[engine.Object](r.view, res.Name, namespace, ref.Name); ok && obj.GetUID() == ref.UID {
		o.Object = obj
	}
	return o
}
