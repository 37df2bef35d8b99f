package apiserver

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	"github.com/kubesim-dev/kubesim/apiserver/customresource"
	"github.com/kubesim-dev/kubesim/apiserver/webhook"
)

// definitionsProvider provides the group of CustomResourceDefinitions.
type definitionsProvider struct{}

// NewRESTStorage implements provider.
func (definitionsProvider) NewRESTStorage(_ serverstorage.APIResourceConfigSource, getter restOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	info := genericapiserver.NewDefaultAPIGroupInfo(apiextensions.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	definitions, err := customresourcedefinition.NewREST(legacyscheme.Scheme, getter)
	if err != nil {
		return info, fmt.Errorf("apiserver: %s: %w", apiextensionsv1.SchemeGroupVersion, err)
	}
	info.VersionedResourcesStorageMap[apiextensionsv1.SchemeGroupVersion.Version] = map[string]rest.Storage{
		"customresourcedefinitions":        definitions,
		"customresourcedefinitions/status": customresourcedefinition.NewStatusREST(legacyscheme.Scheme, definitions),
	}
	return info, nil
}

// serveCustom makes the server answer for all paths below /apis/ that no compiled-in
// group claims.
func (s *Server) serveCustom(c *genericapiserver.Config, infos []genericapiserver.APIGroupInfo) error {
	hooks := s.cfg.webhooks()
	handler, err := customresource.New(customresource.Config{
		Open: s.openCustom,
		Wrap: func(inner storage.Interface) storage.Interface {
			return s.groups.options.stamper.Storage(onStage{inner})
		},
		Stamp: func(store *genericregistry.Store) { s.groups.options.stamper.Apply(store) },
		Serve: func(gvr schema.GroupVersionResource, kind string, others []string, storage map[string]rest.Storage) error {
			return s.Serve(Resource{Resource: gvr, Kind: kind, Versions: others, Storage: storage})
		},
		Withdraw:  s.Withdraw,
		Load:      s.wholeDefinition,
		Reserved:  reserved(infos),
		NotFound:  http.NotFoundHandler(),
		Admission: c.AdmissionControl, Authorizer: c.Authorization.Authorizer,
		Services: webhook.NewServices(s.groups.informers), Webhooks: hooks.Conversions(s.stage.context),
		Serializer: c.Serializer, Announce: s.announceCustom, Extend: s.ExtendOpenAPIV2,
		Schemas:        func() map[string]*spec.Schema { return staticSchemas(infos) },
		RequestTimeout: c.RequestTimeout, MinRequestTimeout: time.Duration(c.MinRequestTimeout) * time.Second,
		MaxRequestBodyBytes: c.MaxRequestBodyBytes,
	})
	if err != nil {
		return err
	}
	s.custom = handler
	s.generic.Handler.NonGoRestfulMux.HandlePrefix("/apis/", handler)
	return nil
}

// Custom serves the objects of CustomResourceDefinitions.
func (s *Server) Custom() *customresource.Handler { return s.custom }

// asksService reports whether a Service may have to convert what a client reads.
func (s *Server) asksService(info *genericrequest.RequestInfo) bool {
	return s.custom != nil && s.cfg.Call != nil && info.APIGroup != "" && s.custom.Asks(info.Resource+"."+info.APIGroup)
}

// openCustom opens the store of custom objects.
func (s *Server) openCustom(r customresource.Store) (storage.Interface, factory.DestroyFunc, error) {
	return s.cfg.NewStorage(StorageConfig{
		GroupResource: r.GroupResource, Prefix: "/" + sharedPrefix(r.GroupResource), Codec: r.Codec,
		NewFunc: r.NewFunc, NewListFunc: r.NewListFunc, Uncached: true,
	})
}

// announceCustom shows a group of custom resources.
func (s *Server) announceCustom(group string, versions []customresource.Version) {
	a := Announcement{Group: group}
	for _, v := range versions {
		a.Versions = append(a.Versions, AnnouncedVersion{Version: v.Name, Resources: v.Resources, Describe: v.Describe})
	}
	s.Announce(a)
}

// reserved returns a function that reports whether a group is compiled in.
func reserved(infos []genericapiserver.APIGroupInfo) func(string) bool {
	all := map[string]bool{}
	for i := range infos {
		all[infos[i].PrioritizedVersions[0].Group] = true
	}
	return func(group string) bool { return all[group] }
}

// staticSchemas returns the schemas of what custom resources have in common with other
// resources: their metadata. Each definition gets a copy.
func staticSchemas(infos []genericapiserver.APIGroupInfo) map[string]*spec.Schema {
	shared := map[string]*spec.Schema{}
	for name, schema := range infos[0].StaticOpenAPISpec {
		if strings.HasPrefix(name, "io.k8s.apimachinery.") {
			shared[name] = schema
		}
	}
	return shared
}
