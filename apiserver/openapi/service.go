package openapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	restful "github.com/emicklei/go-restful/v3"
	"k8s.io/apiserver/pkg/server/mux"
	builder2 "k8s.io/kube-openapi/pkg/builder"
	"k8s.io/kube-openapi/pkg/builder3"
	"k8s.io/kube-openapi/pkg/cached"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/common/restfuladapter"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Service describes what a server serves. Group versions may come and go at any time.
type Service struct {
	config   *common.Config
	configV3 *common.OpenAPIV3Config
	services []*restful.WebService
	v2       *handler.OpenAPIService
	v3       *handler3.OpenAPIService

	mu sync.Mutex
	// users counts the requests under way. The last one to go drops definitions and
	// empties what was built.
	users   int
	release []func()
	// builds counts the descriptions that were built. It is what their etags are.
	builds int
	// extend adds to the description in version 2 what is not in services.
	extend func(*spec.Swagger) (*spec.Swagger, error)

	// building is held while a description is built: they share definitions, and the
	// builders change these.
	building sync.Mutex
}

// New returns the description of the web services that container has now. The configs
// must be complete. Upstream: routes.OpenAPI of k8s.io/apiserver v0.37.2.
func New(container *restful.Container, config *common.Config, configV3 *common.OpenAPIV3Config) *Service {
	s := &Service{config: config, configV3: configV3, services: slices.Clone(container.RegisteredWebServices())}
	s.v2 = handler.NewOpenAPIServiceLazy(s.swagger())
	s.v3 = handler3.NewOpenAPIService()
	for _, service := range s.services {
		path := strings.TrimPrefix(service.RootPath(), "/")
		s.v3.UpdateGroupVersionLazy(path, s.once(func() (*spec3.OpenAPI, error) { return s.describe(path, service) }))
	}
	return s
}

// Install answers the paths of the description.
func (s *Service) Install(to *mux.PathRecorderMux) error {
	guarded := guard{to, s}
	s.v2.RegisterOpenAPIVersionedService("/openapi/v2", guarded)
	return s.v3.RegisterOpenAPIV3VersionedService("/openapi/v3", guarded)
}

// Add describes a group version that comes while the server runs, or describes it anew.
// path is for example "apis/example.com/v1". build is called when a client asks.
func (s *Service) Add(path string, build func() (*spec3.OpenAPI, error)) {
	s.v3.UpdateGroupVersionLazy(path, s.once(build))
}

// Remove forgets a group version.
func (s *Service) Remove(path string) { s.v3.DeleteGroupVersion(path) }

// Extend says how the description in version 2 differs from that of the web services,
// and that it has changed. extend gets what the web services are, which it may change.
// It is called when a client asks.
func (s *Service) Extend(extend func(*spec.Swagger) (*spec.Swagger, error)) {
	s.mu.Lock()
	s.extend = extend
	s.mu.Unlock()
	s.v2.UpdateSpecLazy(s.swagger())
}

func (s *Service) swagger() cached.Value[*spec.Swagger] {
	return &lazy[*spec.Swagger]{build: func() (*spec.Swagger, string, error) {
		s.building.Lock()
		defer s.building.Unlock()
		out, err := builder2.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices(s.services), s.config)
		if err != nil {
			return nil, "", err
		}
		out.Definitions = handler.PruneDefaults(out.Definitions)
		s.mu.Lock()
		extend := s.extend
		s.mu.Unlock()
		if extend != nil {
			if out, err = extend(out); err != nil {
				return nil, "", err
			}
		}
		return out, s.built(func() { *out = spec.Swagger{} }), nil
	}}
}

// once builds a group version's description when it is asked for.
func (s *Service) once(build func() (*spec3.OpenAPI, error)) cached.Value[*spec3.OpenAPI] {
	return &lazy[*spec3.OpenAPI]{build: func() (*spec3.OpenAPI, string, error) {
		out, err := build()
		if err != nil {
			return nil, "", err
		}
		return out, s.built(func() { *out = spec3.OpenAPI{} }), nil
	}}
}

// lazy is a cached.Value that is built once. After an error, it is built again.
type lazy[T any] struct {
	build func() (T, string, error)

	mu    sync.Mutex
	value T
	etag  string // empty until it is built
}

// Get implements cached.Value.
func (l *lazy[T]) Get() (T, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.etag != "" {
		return l.value, l.etag, nil
	}
	value, etag, err := l.build()
	if err != nil {
		return value, "", err
	}
	l.value, l.etag = value, etag
	return value, etag, nil
}

func (s *Service) describe(path string, service *restful.WebService) (*spec3.OpenAPI, error) {
	s.building.Lock()
	defer s.building.Unlock()
	if s.configV3.Definitions == nil {
		s.configV3.Definitions = s.configV3.GetDefinitions(func(name string) spec.Ref {
			defined, _ := s.configV3.GetDefinitionName(name)
			return spec.MustCreateRef("#/components/schemas/" + common.EscapeJsonPointer(defined))
		})
	}
	out, err := builder3.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices([]*restful.WebService{service}), s.configV3)
	if err != nil {
		return nil, err
	}
	detach(out)
	if group, version, ok := groupVersion(path); ok {
		filterScopedGVKs(out, group, version)
	}
	return out, nil
}

// built returns the etag of one more description. empty gives back its memory, once it
// has become bytes: the caches of upstream's handlers keep a pointer to it.
func (s *Service) built(empty func()) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds++
	s.release = append(s.release, empty)
	return strconv.Itoa(s.builds)
}

// guard registers handlers that count as users.
type guard struct {
	*mux.PathRecorderMux
	service *Service
}

// Handle implements common.PathHandler.
func (g guard) Handle(path string, h http.Handler) { g.PathRecorderMux.Handle(path, g.service.use(h)) }

// HandlePrefix implements common.PathHandlerByGroupVersion.
func (g guard) HandlePrefix(path string, h http.Handler) {
	g.PathRecorderMux.HandlePrefix(path, g.service.use(h))
}

// use counts a request as a user. Within it, a description is built and encoded: both
// happen in the caches that the handler asks.
func (s *Service) use(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.users++
		s.mu.Unlock()
		defer s.leave()
		next.ServeHTTP(w, r)
	})
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	for _, empty := range s.release {
		empty()
	}
	s.release = nil
	s.configV3.Definitions = nil
}
