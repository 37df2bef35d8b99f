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
	// mu orders changes, and those who follow them.
	mu        sync.Mutex
	followers []*follower
}

// follower is one function that wants changes.
type follower struct{ f func(ServedChange) }

// PersistedResource is a resource that lies in the store.
type PersistedResource struct {
	schema.GroupResource
	// Kind is what the objects are called, in the stored version.
	Kind schema.GroupVersionKind
	// Namespaced tells objects of a namespace from those of the cluster.
	Namespaced bool
	// ShortNames are what kubectl takes for the resource's name as well.
	ShortNames []string
}

// ServedChange says that a resource is served from now on or, if Gone, no more.
type ServedChange struct {
	PersistedResource
	Gone bool
}

// Resource is one that is served beside those of the table of groups.
type Resource struct {
	// Resource has the version in which the objects are stored, Kind what they are
	// called in it.
	Resource schema.GroupVersionResource
	Kind     string
	// Storage answers, by subresource; "" for the resource itself.
	Storage map[string]rest.Storage
}

// RESTOptions is how a registry, whose resource comes while the server runs, opens its
// store. Objects whose group the scheme does not know are Unstructured, and stored as
// JSON.
func (s *Server) RESTOptions() generic.RESTOptionsGetter { return s.groups.options }

// Serve begins to serve a resource, whose registry it stamps, or serves it anew in place
// of what was there. Call it where a write may be made, in a step of the engine or
// between Gate.Enter and its end: then all who follow what is served see it between the
// same two steps in every run.
func (s *Server) Serve(r Resource) {
	stampAll(s.groups.options.stamper, r.Storage)
	l := localResource{resource: r.Resource, kind: r.Resource.GroupVersion().WithKind(r.Kind), storage: r.Storage}
	s.local.served.change(r.Resource.GroupResource(), &l)
}

// Withdraw ends serving a resource, and closes its store: its watches end, and requests
// that are under way write nothing more. Objects that are left in the store stay there.
// Where it may be called is as for Serve.
func (s *Server) Withdraw(gr schema.GroupResource) {
	for _, storage := range s.local.served.change(gr, nil).storage {
		storage.Destroy()
	}
}

// change replaces gr, or forgets it if r is nil, and returns what was there. Only what
// lies in the store is told of.
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

// Follow returns what is served and lies in the store, by name; from then on f is told
// of each change, in order, until stop is called. f must not ask for another.
func (l *Local) Follow(f func(ServedChange)) (now []PersistedResource, stop func()) {
	l.served.mu.Lock()
	defer l.served.mu.Unlock()
	one := &follower{f}
	l.served.followers = append(l.served.followers, one)
	return l.Persisted(), func() {
		l.served.mu.Lock()
		defer l.served.mu.Unlock()
		l.served.followers = slices.DeleteFunc(l.served.followers, func(other *follower) bool { return other == one })
	}
}

// Persisted returns the resources whose objects can be listed and deleted, by
// name: those that a namespace's deletion and the garbage collector care for.
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

// persisted reports whether r lies in the store.
func (r localResource) persisted() (PersistedResource, bool) {
	lister, lists := r.storage[""].(rest.Lister)
	_, deletes := r.storage[""].(rest.GracefulDeleter)
	if !lists || !deletes || lister == nil {
		return PersistedResource{}, false
	}
	scoper, _ := r.storage[""].(rest.Scoper)
	return PersistedResource{
		GroupResource: r.resource.GroupResource(), Kind: r.kind, Namespaced: scoper != nil && scoper.NamespaceScoped(), ShortNames: shortNames(r.storage[""]),
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

// notServed is what a client is told of a path that there is not.
func notServed(gr schema.GroupResource) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "", gr, "", "", 0, true)
}

// begin takes over what groups serve in their stored versions.
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
				continue // a more preferred version is served as well
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
