package customresource

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apiextensionshelpers "k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Config is what a Handler needs. All fields must be set, except those that say
// otherwise.
type Config struct {
	// Open opens the store of the objects of one definition, as they are stored.
	Open func(Store) (storage.Interface, factory.DestroyFunc, error)
	// Wrap is applied to what registries write to.
	Wrap func(storage.Interface) storage.Interface
	// Stamp puts virtual time and seeded names into a registry.
	Stamp func(*genericregistry.Store)
	// Serve says that a resource is served, until Withdraw. The storages, by subresource,
	// answer for the preferred version; others are the versions that are served too.
	Serve    func(gvr schema.GroupVersionResource, kind string, others []string, s map[string]rest.Storage) error
	Withdraw func(schema.GroupResource)
	// Load reads a definition with its schemas, which Apply does not need. It must be at
	// least as new as what Apply got.
	Load func(name string) (*apiextensionsv1.CustomResourceDefinition, error)
	// Reserved reports whether a group is compiled in.
	Reserved func(group string) bool
	// NotFound answers for what does not exist.
	NotFound http.Handler
	// Admission and Authorizer are those of the API server.
	Admission  admission.Interface
	Authorizer authorizer.UnconditionalAuthorizer
	// Services leads to conversion webhooks that are Services, and Webhooks makes the
	// clients of all conversion webhooks; see webhook.Config.Conversions.
	Services webhook.ServiceResolver
	Webhooks webhook.AuthenticationInfoResolverWrapper
	// Serializer encodes discovery.
	Serializer runtime.NegotiatedSerializer
	// Announce shows the versions of a group, the preferred one first, in discovery and in
	// OpenAPI v3. A group without versions is no longer shown.
	Announce func(group string, versions []Version)
	// Extend says how OpenAPI v2 differs from that of the compiled-in groups, and that it
	// has changed.
	Extend func(func(*spec.Swagger) (*spec.Swagger, error))
	// Schemas returns those of compiled-in types. Managed fields need them.
	Schemas func() map[string]*spec.Schema
	// RequestTimeout, MinRequestTimeout and MaxRequestBodyBytes are those of the API
	// server.
	RequestTimeout, MinRequestTimeout time.Duration
	MaxRequestBodyBytes               int64
}

func (c *Config) validate() error {
	var errs []error
	for what, missing := range map[string]bool{
		"Open": c.Open == nil, "Wrap": c.Wrap == nil, "Stamp": c.Stamp == nil, "Serve": c.Serve == nil, "Withdraw": c.Withdraw == nil, "Load": c.Load == nil, "Reserved": c.Reserved == nil,
		"NotFound": c.NotFound == nil, "Admission": c.Admission == nil, "Authorizer": c.Authorizer == nil, "Serializer": c.Serializer == nil, "Services": c.Services == nil, "Webhooks": c.Webhooks == nil,
		"Announce": c.Announce == nil, "Extend": c.Extend == nil, "Schemas": c.Schemas == nil, "RequestTimeout": c.RequestTimeout == 0,
	} {
		if missing {
			errs = append(errs, errors.New("customresource: Config."+what+" is not set"))
		}
	}
	return errors.Join(errs...)
}

// Handler answers requests for custom resources, and for the discovery of their groups.
type Handler struct {
	cfg Config
	// front answers requests, builder makes registries.
	front, builder *upstream
	found          found

	mu sync.RWMutex
	// known has every definition, by name.
	known map[string]*known
	// shown is what was announced, by group.
	shown map[string][]*apiextensionsv1.CustomResourceDefinition
	// weightMax is the const of that name, but in tests. uses counts the uses of
	// registries.
	weightMax int
	uses      atomic.Int64
	// names are those of known, for whoever is called while mu is held.
	names sync.Map
}

// known is one definition.
type known struct {
	crd *apiextensionsv1.CustomResourceDefinition
	// store has its objects, while served.
	store *store
	// served is what was said to Config.Serve; nil if nothing was.
	served *served
	// built says that front has its registries. They have that weight, see dropIdle.
	built  bool
	weight int
	// users counts the requests under way. last is the number of the newest one.
	users, last atomic.Int64
}

// served is what else must be the same if a definition is to be served as before.
type served struct {
	gvr        schema.GroupVersionResource
	kind       string
	others     []string
	namespaced bool
	shortNames []string
	// scale is the version whose scale controllers write; "" if there is none.
	scale string
}

func (s *served) equal(o *served) bool {
	return s.gvr == o.gvr && s.kind == o.kind && s.namespaced == o.namespaced && s.scale == o.scale && slices.Equal(s.others, o.others) && slices.Equal(s.shortNames, o.shortNames)
}

// New returns a Handler that knows no definition.
func New(cfg Config) (*Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, known: map[string]*known{}, found: newFound(&cfg), weightMax: weightMax, shown: map[string][]*apiextensionsv1.CustomResourceDefinition{}}
	var err error
	if h.builder, err = newUpstream(&cfg, options{h}); err != nil {
		return nil, err
	}
	h.front, err = newUpstream(&cfg, refusing{})
	return h, err
}

// ServeHTTP implements http.Handler for paths below /apis/.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	info, ok := genericrequest.RequestInfoFrom(req.Context())
	if ok && !info.IsResourceRequest {
		h.found.ServeHTTP(w, req)
		return
	}
	if ok {
		defer h.use(info.Resource + "." + info.APIGroup)()
	}
	h.front.handler.ServeHTTP(w, req)
}

// Apply makes the Handler serve crd as it is now. Call it in a step of the engine, or
// before the engine runs.
func (h *Handler) Apply(crd *apiextensionsv1.CustomResourceDefinition) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.known[crd.Name]
	if d != nil && d.crd.UID != crd.UID {
		h.forget(d)
		d = nil
	}
	if d == nil {
		d = &known{}
		h.known[crd.Name] = d
		h.names.Store(crd.Name, nil)
	}
	was := d.crd
	d.crd = settled(lean(crd))
	err := h.serve(d)
	if d.built && d.served != nil && !sameRegistries(was, crd) {
		err = errors.Join(err, h.build(d))
	}
	h.front.definitions.put(d.crd)
	h.show(crd.Spec.Group)
	return err
}

// Forget stops serving the definition with that name, if there is one. What is left of
// its objects stays in the store.
func (h *Handler) Forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.known[name]; d != nil {
		h.forget(d)
		h.show(d.crd.Spec.Group)
	}
}

// Knows reports whether there is a definition with that name.
func (h *Handler) Knows(name string) bool {
	_, ok := h.names.Load(name)
	return ok
}

func (h *Handler) forget(d *known) {
	delete(h.known, d.crd.Name)
	h.names.Delete(d.crd.Name)
	h.front.definitions.drop(d.crd)
	h.withdraw(d)
	h.builder.definitions.drop(d.crd)
	h.builder.definitions.events.OnDelete(d.crd) // forgets registries without a definition
	h.front.registries.Store(h.builder.registries.Load())
}

// serve opens the store of a definition whose names are accepted, and says that its
// resource is served.
func (h *Handler) serve(d *known) error {
	want := h.wanted(d.crd)
	if want == nil {
		h.withdraw(d)
		return nil
	}
	if d.served != nil && d.served.equal(want) {
		return nil
	}
	if d.served != nil && d.served.gvr.GroupResource() != want.gvr.GroupResource() {
		h.withdraw(d)
	}
	if d.store == nil {
		var err error
		if d.store, err = h.open(want.gvr.GroupResource()); err != nil {
			return err
		}
	}
	d.served = want
	all := &instances{h: h, name: d.crd.Name, served: *want}
	storages := map[string]rest.Storage{"": all}
	if want.scale != "" {
		storages["scale"] = &scales{all}
	}
	return h.cfg.Serve(want.gvr, want.kind, want.others, storages)
}

// wanted is what to say of crd to Config.Serve; nil for nothing.
//
// Deviation: a definition in a compiled-in group is stored and established, but nothing
// of it is served.
func (h *Handler) wanted(crd *apiextensionsv1.CustomResourceDefinition) *served {
	names := crd.Status.AcceptedNames
	gr := schema.GroupResource{Group: crd.Spec.Group, Resource: names.Plural}
	if !accepted(crd) || names.Plural == "" || h.cfg.Reserved(gr.Group) {
		return nil
	}
	// Upstream's controllers learn of resources by discovery, and write in the preferred
	// version, whichever is stored. That of upstream's scale client has a scale.
	versions := versionsOf([]*apiextensionsv1.CustomResourceDefinition{crd})
	if len(versions) == 0 {
		return nil
	}
	out := &served{
		gvr: gr.WithVersion(versions[0]), kind: names.Kind, others: versions[1:],
		namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped, shortNames: names.ShortNames,
	}
	for _, v := range versions {
		if sub, err := apiextensionshelpers.GetSubresourcesForVersion(crd, v); err == nil && sub != nil && sub.Scale != nil {
			out.scale = v
			break
		}
	}
	return out
}

func (h *Handler) withdraw(d *known) {
	if d.served == nil {
		return
	}
	h.cfg.Withdraw(d.served.gvr.GroupResource())
	d.store.close()
	d.store, d.served, d.built = nil, nil, false
}

// group returns the definitions of a group, by name.
func (h *Handler) group(name string) []*apiextensionsv1.CustomResourceDefinition {
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, d := range h.known {
		if d.crd.Spec.Group == name && d.served != nil && established(d.crd) {
			out = append(out, d.crd)
		}
	}
	slices.SortFunc(out, byName)
	return out
}

// version returns what upstream's handler serves of a version of a definition; of that in
// which objects are stored if name is "".
func (h *Handler) version(definition, name string) (version, error) {
	defer h.use(definition)()
	h.mu.RLock()
	defer h.mu.RUnlock()
	d := h.known[definition]
	if d == nil || !d.built {
		return version{}, fmt.Errorf("customresource: %s is not served", definition)
	}
	versions, err := h.builder.versions(d.crd.UID)
	if err == nil && name == "" {
		name, err = apiextensionshelpers.GetCRDStorageVersion(d.crd)
	}
	if err != nil {
		return version{}, err
	}
	for _, v := range versions {
		if v.name == name {
			v.asks = asks(d.crd)
			return v, nil
		}
	}
	return version{}, fmt.Errorf("customresource: %s has no version %s", definition, name)
}

// registry returns that of the version in which the objects of a definition are stored.
func (h *Handler) registry(definition string) (*genericregistry.Store, error) {
	v, err := h.version(definition, "")
	if err != nil {
		return nil, err
	}
	return v.CustomResource.Store, nil
}

// accepted reports whether requests for crd are served. Source: crdHandler.ServeHTTP.
func accepted(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return apiextensionshelpers.IsCRDConditionTrue(crd, apiextensionsv1.NamesAccepted) || apiextensionshelpers.IsCRDConditionTrue(crd, apiextensionsv1.Established)
}

// sameRegistries reports whether the registries of a definition can stay. Source:
// crdHandler.updateCustomResourceDefinition. A generation has one spec.
func sameRegistries(a, b *apiextensionsv1.CustomResourceDefinition) bool {
	return a != nil && a.Generation == b.Generation && apiequality.Semantic.DeepEqual(&a.Status.AcceptedNames, &b.Status.AcceptedNames)
}

// settled returns crd with conditions that are old. While Established is younger than
// two seconds of wall time, crdHandler.serveResource sleeps for two seconds in each
// creation, so that other API servers learn of the definition.
//
// Deviation: that is so in mode realtime and with etcd, too.
func settled(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	c := *crd
	c.Status.Conditions = slices.Clone(crd.Status.Conditions)
	for i := range c.Status.Conditions {
		c.Status.Conditions[i].LastTransitionTime = metav1.Unix(0, 0)
	}
	return &c
}
