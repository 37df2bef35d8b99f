package customresource

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apiextensionshelpers "k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Version is what a group shows of one of its versions.
type Version struct {
	Name      string
	Resources []apidiscoveryv2.APIResourceDiscovery
	// Describe builds the version's OpenAPI v3.
	Describe func() (*spec3.OpenAPI, error)
}

// show announces a group as it is now, if that differs from what was announced.
func (h *Handler) show(group string) {
	crds := h.group(group)
	if slices.EqualFunc(h.shown[group], crds, alike) {
		return
	}
	h.shown[group] = crds
	if len(crds) == 0 {
		delete(h.shown, group)
	}
	h.found.update(group, crds)
	var versions []Version
	for _, name := range versionsOf(crds) {
		_, resources := resourcesOf(crds, schema.GroupVersion{Group: group, Version: name})
		versions = append(versions, Version{name, resources, func() (*spec3.OpenAPI, error) { return h.describe(crds, name) }})
	}
	h.cfg.Announce(group, versions)
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, group := range slices.Sorted(maps.Keys(h.shown)) {
		all = append(all, h.shown[group]...)
	}
	h.cfg.Extend(func(s *spec.Swagger) (*spec.Swagger, error) { return h.extend(s, all) })
}

// alike reports whether a and b look the same to clients.
func alike(a, b *apiextensionsv1.CustomResourceDefinition) bool {
	return a == b || a.UID == b.UID && a.Generation == b.Generation && slices.Equal(verbsOf(a), verbsOf(b)) &&
		equality.Semantic.DeepEqual(a.Status.AcceptedNames, b.Status.AcceptedNames)
}

// found answers the discovery of groups and versions that are not compiled in.
type found struct {
	serializer runtime.NegotiatedSerializer
	notFound   http.Handler

	mu *sync.RWMutex
	// handlers answer, by path.
	handlers map[string]http.Handler
}

func newFound(cfg *Config) found {
	return found{serializer: cfg.Serializer, notFound: cfg.NotFound, mu: &sync.RWMutex{}, handlers: map[string]http.Handler{}}
}

// ServeHTTP implements http.Handler.
func (f *found) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.RLock()
	handler, ok := f.handlers[strings.Trim(req.URL.Path, "/")]
	f.mu.RUnlock()
	if !ok {
		handler = f.notFound
	}
	handler.ServeHTTP(w, req)
}

// update says what a group has now: crds are its definitions, sorted by name.
func (f *found) update(group string, crds []*apiextensionsv1.CustomResourceDefinition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := "apis/" + group
	maps.DeleteFunc(f.handlers, func(p string, _ http.Handler) bool { return p == path || strings.HasPrefix(p, path+"/") })
	versions := versionsOf(crds)
	if len(versions) == 0 {
		return
	}
	entry := metav1.APIGroup{Name: group}
	for _, v := range versions {
		entry.Versions = append(entry.Versions, metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + v, Version: v})
		resources, _ := resourcesOf(crds, schema.GroupVersion{Group: group, Version: v})
		f.handlers[path+"/"+v] = discovery.NewAPIVersionHandler(f.serializer, schema.GroupVersion{Group: group, Version: v},
			discovery.APIResourceListerFunc(func() []metav1.APIResource { return resources }))
	}
	entry.PreferredVersion = entry.Versions[0]
	f.handlers[path] = discovery.NewAPIGroupHandler(f.serializer, entry)
}

// versionsOf returns the versions that are served, the preferred one first.
func versionsOf(crds []*apiextensionsv1.CustomResourceDefinition) []string {
	var out []string
	for _, crd := range crds {
		for _, v := range crd.Spec.Versions {
			if v.Served && !slices.Contains(out, v.Name) {
				out = append(out, v.Name)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return apimachineryversion.CompareKubeAwareVersionStrings(b, a) })
	return out
}

// resourcesOf returns what gv has, as both kinds of discovery say it. Source:
// DiscoveryController.sync.
func resourcesOf(crds []*apiextensionsv1.CustomResourceDefinition, gv schema.GroupVersion) (out []metav1.APIResource, aggregate []apidiscoveryv2.APIResourceDiscovery) {
	for _, crd := range crds {
		if !apiextensionshelpers.HasServedCRDVersion(crd, gv.Version) {
			continue
		}
		names, verbs := crd.Status.AcceptedNames, verbsOf(crd)
		out = append(out, metav1.APIResource{
			Name: names.Plural, SingularName: names.Singular, Namespaced: namespaced(crd), Kind: names.Kind, Verbs: verbs,
			ShortNames: names.ShortNames, Categories: names.Categories, StorageVersionHash: storageHash(crd),
		})
		entry := apidiscoveryv2.APIResourceDiscovery{
			Resource: names.Plural, SingularResource: names.Singular, Scope: apidiscoveryv2.ScopeCluster,
			ResponseKind: &metav1.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: names.Kind},
			Verbs:        verbs, ShortNames: names.ShortNames, Categories: names.Categories,
		}
		if namespaced(crd) {
			entry.Scope = apidiscoveryv2.ScopeNamespace
		}
		for _, sub := range subresourcesOf(crd, gv.Version) {
			kind := sub.kind(gv.WithKind(names.Kind))
			resource := metav1.APIResource{Name: names.Plural + "/" + string(sub), Namespaced: namespaced(crd), Kind: kind.Kind, Verbs: subresourceVerbs()}
			if sub == scale {
				resource.Group, resource.Version = kind.Group, kind.Version
			}
			out = append(out, resource)
			entry.Subresources = append(entry.Subresources, apidiscoveryv2.APISubresourceDiscovery{
				Subresource: string(sub), Verbs: subresourceVerbs(),
				ResponseKind: &metav1.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind},
			})
		}
		aggregate = append(aggregate, entry)
	}
	return out, aggregate
}

// subresource is one that a version may have.
type subresource string

const (
	status subresource = "status"
	scale  subresource = "scale"
)

func subresourcesOf(crd *apiextensionsv1.CustomResourceDefinition, version string) (out []subresource) {
	subresources, err := apiextensionshelpers.GetSubresourcesForVersion(crd, version)
	if err != nil || subresources == nil {
		return nil
	}
	if subresources.Status != nil {
		out = append(out, status)
	}
	if subresources.Scale != nil {
		out = append(out, scale)
	}
	return out
}

// kind returns that of a subresource of objects of kind of.
func (s subresource) kind(of schema.GroupVersionKind) schema.GroupVersionKind {
	if s == scale {
		return autoscalingv1.SchemeGroupVersion.WithKind("Scale")
	}
	return of
}

func subresourceVerbs() metav1.Verbs { return metav1.Verbs{"get", "patch", "update"} }

// verbsOf leaves out those that make objects of a definition that is being deleted.
func verbsOf(crd *apiextensionsv1.CustomResourceDefinition) metav1.Verbs {
	if apiextensionshelpers.IsCRDConditionTrue(crd, apiextensionsv1.Terminating) {
		return metav1.Verbs{"delete", "deletecollection", "get", "list", "watch"}
	}
	return metav1.Verbs{"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"}
}

// storageHash stands for the version in which objects are stored, if that is served.
func storageHash(crd *apiextensionsv1.CustomResourceDefinition) (hash string) {
	for _, v := range crd.Spec.Versions {
		if v.Served && v.Storage {
			hash = discovery.StorageVersionHash(crd.Spec.Group, v.Name, crd.Spec.Names.Kind)
		}
	}
	return hash
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return apiextensionshelpers.IsCRDConditionTrue(crd, apiextensionsv1.Established)
}

func namespaced(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return crd.Spec.Scope == apiextensionsv1.NamespaceScoped
}

func byName(a, b *apiextensionsv1.CustomResourceDefinition) int { return cmp.Compare(a.Name, b.Name) }
