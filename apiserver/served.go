package apiserver

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// served is what Local serves. A request sees all of a change or nothing of it.
type served struct {
	// table is replaced, never changed.
	table atomic.Pointer[map[schema.GroupResource]localResource]
	// mu orders changes and their followers.
	mu        sync.Mutex
	followers []*follower
}

// follower is one function that is told of changes.
type follower struct{ f func(ServedChange) }

// PersistedResource is a resource that is stored.
type PersistedResource struct {
	schema.GroupResource
	// Kind is the kind of the objects, in the stored version.
	Kind schema.GroupVersionKind
	// Versions are the others in which the objects are served.
	Versions []string
	// Namespaced says whether the objects belong to a namespace or to the cluster.
	Namespaced bool
	// ShortNames are other names that kubectl accepts for the resource.
	ShortNames []string
}

// ServedChange says that a resource is served from now on or, if Gone, no longer.
type ServedChange struct {
	PersistedResource
	Gone bool
}

// Resource is a resource that is served in addition to the table of groups.
type Resource struct {
	// Resource has the version in which the objects are stored. Kind is their kind in
	// that version.
	Resource schema.GroupVersionResource
	Kind     string
	// Versions are the others in which the objects are served.
	Versions []string
	// Storage answers, by subresource; "" for the resource itself.
	Storage map[string]rest.Storage
}

// RESTOptions is how a registry opens its store if its resource is added while the
// server runs. If the scheme does not know the group, its objects are Unstructured and
// stored as JSON.
func (s *Server) RESTOptions() generic.RESTOptionsGetter { return s.groups.options }

// Serve begins to serve a resource and stamps its registry. If the resource is already
// served, Serve replaces it. What its store already holds is recalled. Call it where a
// write may be made: in a step of the engine, or between Gate.Enter and its end. Then
// everybody who follows what is served sees the change between the same two steps in
// every run.
func (s *Server) Serve(r Resource) error {
	stampAll(s.groups.options.stamper, r.Storage)
	l := localResource{resource: r.Resource, kind: r.Resource.GroupVersion().WithKind(r.Kind), versions: r.Versions, storage: r.Storage}
	s.local.served.change(r.Resource.GroupResource(), &l)
	if _, ok := l.persisted(); !ok {
		return nil
	}
	return s.cfg.Recall(r.Resource.GroupResource())
}

// Withdraw stops serving a resource and closes its store. Its watches end, and requests
// that are under way write nothing more. Objects that are left in the store stay there.
// Call it where Serve may be called.
func (s *Server) Withdraw(gr schema.GroupResource) {
	for _, storage := range s.local.served.change(gr, nil).storage {
		storage.Destroy()
	}
}

// change replaces gr, or removes it if r is nil, and returns what was there. It reports
// only stored resources to the followers.
func (s *served) change(gr schema.GroupResource, r *localResource) (was localResource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := maps.Clone(*s.table.Load())
	was = table[gr]
	tell, gone := was, r == nil
	delete(table, gr)
	if r != nil {
		table[gr], tell = *r, *r
	}
	s.table.Store(&table)
	if persisted, ok := tell.persisted(); ok {
		for _, each := range s.followers {
			each.f(ServedChange{persisted, gone})
		}
	}
	return was
}

// resourceOf returns the resource whose objects are of a kind.
func (s *served) resourceOf(kind schema.GroupKind) (schema.GroupResource, bool) {
	for gr, r := range *s.table.Load() {
		if r.kind.GroupKind() == kind {
			return gr, true
		}
	}
	return schema.GroupResource{}, false
}

// Follow tells f of every resource that is served and stored, by name. From then on it
// tells f of each change, in order, until stop is called. f must not cause another change.
func (l *Local) Follow(f func(ServedChange)) (stop func()) {
	l.served.mu.Lock()
	defer l.served.mu.Unlock()
	for _, r := range l.Persisted() {
		f(ServedChange{PersistedResource: r})
	}
	one := &follower{f}
	l.served.followers = append(l.served.followers, one)
	return func() {
		l.served.mu.Lock()
		defer l.served.mu.Unlock()
		l.served.followers = slices.DeleteFunc(l.served.followers, func(other *follower) bool { return other == one })
	}
}

// Persisted returns the resources whose objects can be listed and deleted, by name. The
// deletion of a namespace and the garbage collector use them.
func (l *Local) Persisted() []PersistedResource {
	var out []PersistedResource
	for _, r := range *l.served.table.Load() {
		if persisted, ok := r.persisted(); ok {
			out = append(out, persisted)
		}
	}
	slices.SortFunc(out, func(a, b PersistedResource) int {
		return strings.Compare(a.GroupResource.String(), b.GroupResource.String())
	})
	return out
}

// persisted reports whether r is stored.
func (r localResource) persisted() (PersistedResource, bool) {
	lister, lists := r.storage[""].(rest.Lister)
	_, deletes := r.storage[""].(rest.GracefulDeleter)
	if !lists || !deletes || lister == nil {
		return PersistedResource{}, false
	}
	scoper, _ := r.storage[""].(rest.Scoper)
	return PersistedResource{
		GroupResource: r.resource.GroupResource(), Kind: r.kind, Versions: r.versions, Namespaced: scoper != nil && scoper.NamespaceScoped(), ShortNames: shortNames(r.storage[""]),
	}, true
}

func shortNames(s rest.Storage) []string {
	if short, ok := s.(rest.ShortNamesProvider); ok {
		return short.ShortNames()
	}
	return nil
}

func (s *served) find(gr schema.GroupResource) (localResource, bool) {
	r, ok := (*s.table.Load())[gr]
	return r, ok
}

// notServed is the error for a path that does not exist.
func notServed(gr schema.GroupResource) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "", gr, "", "", 0, true)
}

// begin adds what groups serve in their stored versions.
func (s *served) begin(infos []genericapiserver.APIGroupInfo, check bool) {
	table := map[schema.GroupResource]localResource{}
	for i := range infos {
		addGroup(table, &infos[i], check)
	}
	s.table.Store(&table)
}

func addGroup(table map[schema.GroupResource]localResource, info *genericapiserver.APIGroupInfo, check bool) {
	for _, gv := range info.PrioritizedVersions {
		for path, storage := range info.VersionedResourcesStorageMap[gv.Version] {
			name, subresource, _ := strings.Cut(path, "/")
			gr := schema.GroupResource{Group: gv.Group, Resource: name}
			r, ok := table[gr]
			if !ok {
				r = localResource{resource: gv.WithResource(name), storage: map[string]rest.Storage{}, updates: map[string]*shortcut{}}
			}
			if r.resource.Version != gv.Version {
				if subresource == "" { // a more preferred version is served as well
					r.versions = append(r.versions, gv.Version)
					table[gr] = r
				}
				continue
			}
			if subresource == "" {
				r.kind = kindOf(gv, storage)
			}
			r.storage[subresource] = storage
			if trusts(gr, subresource, true) {
				r.creates = newShortcut(storage, subresource, check)
			}
			if trusts(gr, subresource, false) {
				r.updates[subresource] = newShortcut(storage, subresource, check)
			}
			table[gr] = r
		}
	}
}

func kindOf(gv schema.GroupVersion, storage rest.Storage) schema.GroupVersionKind {
	kinds, _, err := legacyscheme.Scheme.ObjectKinds(storage.New())
	if err != nil || len(kinds) == 0 {
		return schema.GroupVersionKind{}
	}
	return gv.WithKind(kinds[0].Kind)
}
