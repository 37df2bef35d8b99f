package engine

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Served is a resource that the API server serves and whose objects are stored.
type Served struct {
	// Name is the resource, for example Jobs.
	Name Resource
	// GVK is the kind of its objects in the version in which they are stored.
	GVK schema.GroupVersionKind
	// Versions are the others in which the API server serves them. A reference may name
	// any of them.
	Versions []string
	// Namespaced says whether the objects belong to a namespace or to the cluster.
	Namespaced bool
}

// Is reports whether objects of kind gvk are those of s, in one of its versions.
func (s Served) Is(gvk schema.GroupVersionKind) bool {
	return gvk.GroupKind() == s.GVK.GroupKind() && (gvk.Version == s.GVK.Version || slices.Contains(s.Versions, gvk.Version))
}

// gvks are the kind in each of its versions.
func (s Served) gvks() []schema.GroupVersionKind {
	out := []schema.GroupVersionKind{s.GVK}
	for _, v := range s.Versions {
		out = append(out, s.GVK.GroupKind().WithVersion(v))
	}
	return out
}

func (s Served) equal(o Served) bool {
	return s.Name == o.Name && s.GVK == o.GVK && s.Namespaced == o.Namespaced && slices.Equal(s.Versions, o.Versions)
}

// ServedObserver is a Reconciler whose plans depend on what is served. It asks the View
// for what it must know about each resource. If the Kind of one of its keys is the name
// of a resource, the key ends with that resource.
type ServedObserver interface {
	Reconciler
	// ObserveServed returns the keys whose plan may change because s is now served or,
	// if gone, no longer served. The View already knows.
	ObserveServed(s Served, gone bool) []Key
}

// Serve says that the API server serves s. Before Run, this takes effect at once. Later
// it is an arrival in the inbox, as a commit is. If it is called where a write may be
// made, in a step or after Enter, everybody sees the change between the same two steps
// in every run. Serving a resource again with another kind replaces it; its objects
// stay.
func (e *Engine) Serve(s Served) { e.changeServed(s, false) }

// Withdraw says that the API server no longer serves r. It takes effect as Serve does.
// The View forgets the objects and the indexes of r, unless a reconciler has asked for
// r by name. The queue forgets every key that is about one of its objects. Nothing is
// deleted from the store.
func (e *Engine) Withdraw(r Resource) { e.changeServed(Served{Name: r}, true) }

// servedChange is an arrival: a resource is added or removed.
type servedChange struct {
	Served
	gone bool
}

func (e *Engine) changeServed(s Served, gone bool) {
	c := &servedChange{s, gone}
	if !e.arriveServed(c) && e.isNews(c) {
		e.takeServed(c, false)
	}
}

// arriveServed puts c into the inbox, unless Run was not called yet.
func (e *Engine) arriveServed(c *servedChange) bool {
	now := e.clock.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.started {
		return false
	}
	a := arrival{served: c, at: now, actor: actorClient}
	if e.running {
		a.at, a.actor, a.idle = e.now, e.actor, e.idle
	}
	e.inbox = append(e.inbox, a)
	e.cond.Broadcast()
	return true
}

// isNews reports whether c changes anything.
func (e *Engine) isNews(c *servedChange) bool {
	was, known := e.view.served.find(c.Name)
	if c.gone {
		return known
	}
	return !known || !was.equal(c.Served)
}

// takeServed makes the change, and makes the affected keys due.
func (e *Engine) takeServed(c *servedChange, idle bool) {
	s, _ := e.view.served.find(c.Name)
	if c.gone {
		e.view.withdraw(c.Name)
		e.forget(c.Name)
	} else {
		s = c.Served
		e.view.serve(s)
	}
	for _, r := range e.reconcilers {
		o, ok := r.(ServedObserver)
		if !ok {
			continue
		}
		for _, key := range o.ObserveServed(s, c.gone) {
			e.queue.hasten(key, e.now, idle)
		}
	}
}

// forget removes the keys that are about objects of r from the queue and from the next
// checkpoint.
func (e *Engine) forget(r Resource) {
	for _, key := range e.allKeys() {
		if _, ok := e.byName[key.Controller].(ServedObserver); ok && key.Kind == string(r) {
			e.queue.schedule(key, Wake{})
		}
	}
}

// servedList is what is served, sorted by name. It is never changed, only replaced.
type servedList []Served

func (l servedList) search(r Resource) (int, bool) {
	return slices.BinarySearchFunc(l, r, func(s Served, r Resource) int { return cmp.Compare(s.Name, r) })
}

func (l servedList) find(r Resource) (Served, bool) {
	if i, ok := l.search(r); ok {
		return l[i], true
	}
	return Served{}, false
}

// with returns the list with s, in place of the entry with that name.
func (l servedList) with(s Served) servedList {
	i, ok := l.search(s.Name)
	if ok {
		l = slices.Clone(l)
		l[i] = s
		return l
	}
	return slices.Insert(slices.Clone(l), i, s)
}

func (l servedList) without(r Resource) servedList {
	return slices.DeleteFunc(slices.Clone(l), func(s Served) bool { return s.Name == r })
}
