package apiserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/admission"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/filters"
	"k8s.io/client-go/kubernetes"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/capabilities"
	servicestore "k8s.io/kubernetes/pkg/registry/core/service/storage"

	"github.com/kubesim-dev/kubesim/apiserver/customresource"
	"github.com/kubesim-dev/kubesim/apiserver/openapi"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// Server is an API server over one store.
type Server struct {
	cfg          Config
	generic      *genericapiserver.GenericAPIServer
	local        *Local
	audit        *localAudit
	caches       caches
	interceptors interceptors
	client       kubernetes.Interface
	groups       *groups
	openapi      *openapi.Service // nil with Config.NoOpenAPI
	// versions are those of the table of groups.
	versions []schema.GroupVersion
	// announcing guards announced.
	announcing sync.Mutex
	announced  announced
	remotes    *remotes
	custom     *customresource.Handler
	// streams are the requests under way that connect a client to a container.
	streams inFlight
	back    *loopback
	stage   stage
	// founded says that Bootstrap has written the cluster's first objects.
	founded atomic.Bool
}

// New builds a server. It opens every resource's store but does not serve yet. The
// context bounds the helpers that upstream's plugins start.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// Privileged Pods are allowed, as with kubeadm. Upstream keeps this in a global
	// that is set once. It is the same for every cluster of a process.
	capabilities.Setup(true, 0)
	token, err := newToken()
	if err != nil {
		return nil, err
	}
	back := &loopback{}
	loopbackConfig := back.config(token)
	client, err := kubernetes.NewForConfig(loopbackConfig)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, client: client, back: back}
	caches, factory := newCaches(client)
	s.caches, s.interceptors = caches, newInterceptors(caches)

	generic := genericapiserver.NewConfig(legacyscheme.Codecs)
	generic.EffectiveVersion = newVersion(cfg.Version, cfg.Build)
	generic.LoopbackClientConfig = loopbackConfig
	if generic.SecureServing, err = secureServing(&cfg); err != nil {
		return nil, err
	}
	generic.PublicAddress, generic.ExternalAddress = cfg.AdvertiseAddress, cfg.ExternalAddress
	configureOpenAPI(generic)
	keys, err := authenticate(ctx, generic, &cfg, client, factory)
	if err != nil {
		return nil, err
	}
	if generic.Authorization.Authorizer, generic.RuleResolver, err = newAuthorizer(cfg.Authorization, factory); err != nil {
		return nil, err
	}
	if generic.AdmissionControl, err = newAdmission(s.admission(generic, factory, ctx.Done())); err != nil {
		return nil, err
	}
	options := &restOptions{open: cfg.NewStorage, stamper: registry.Stamper{Clock: cfg.Clock, Random: cfg.Random}}
	generic.RESTOptionsGetter = options
	addHealthChecks(generic, cfg.StoreHealth, &s.founded)
	s.remotes = s.newRemotes()
	if err := s.configureServing(ctx, generic); err != nil {
		return nil, err
	}
	// It gets no informer factory: ours never runs, see newCaches.
	completed := generic.Complete(nil)
	if s.generic, err = completed.New("kubesim", genericapiserver.NewEmptyDelegate()); err != nil {
		return nil, err
	}
	if err := installIssuerDiscovery(s.generic, keys); err != nil {
		return nil, err
	}
	issuer, err := newIssuer(cfg.ServiceAccountKey)
	if err != nil {
		return nil, err
	}
	s.groups = newGroups(&cfg, generic)
	s.groups.options, s.groups.client, s.groups.informers, s.groups.issuer = options, client, factory, issuer
	infos, err := s.groups.build()
	if err != nil {
		return nil, err
	}
	s.local = newLocal(generic.AdmissionControl, generic.EquivalentResourceRegistry, infos, caches, s.interceptors, cfg.CheckTrusted)
	s.local.audit = s.audit
	if err := errors.Join(s.install(infos), s.describe(generic), s.serveCustom(generic, infos)); err != nil {
		return nil, err
	}
	for path, handler := range cfg.Handlers {
		s.generic.Handler.NonGoRestfulMux.Handle(path, handler)
	}
	back.handler = s.generic.Handler
	return s, nil
}

// newGroups returns what the groups get of the configuration.
func newGroups(cfg *Config, generic *genericapiserver.Config) *groups {
	return &groups{
		audiences: generic.Authentication.APIAudiences, authenticator: generic.Authentication.Authenticator,
		authorizer: generic.Authorization.Authorizer, rules: generic.RuleResolver,
		random: cfg.Random, addresses: cfg.Services, timekeeper: cfg.Timekeeper, logs: cfg.Logs, usage: cfg.Metrics, dial: cfg.Dial, storeHealth: cfg.StoreHealth,
	}
}

// configureOpenAPI says how the API is described. Even a server that describes nothing
// needs the types, for server-side apply.
func configureOpenAPI(c *genericapiserver.Config) {
	namer := openapinamer.NewDefinitionNamer(legacyscheme.Scheme)
	c.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openAPIDefinitions, namer)
	c.OpenAPIConfig.Info.Title = "Kubernetes"
	c.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openAPIDefinitions, namer)
	c.OpenAPIV3Config.Info.Title = "Kubernetes"
	c.SkipOpenAPIInstallation = true // see describe
}

// configureServing sets what a kubesim server answers differently from a generic
// server.
func (s *Server) configureServing(ctx context.Context, c *genericapiserver.Config) error {
	cfg := &s.cfg
	log, err := auditTo(ctx, c, cfg.Audit, cfg.Clock)
	if err != nil {
		return err
	}
	c.EnableProfiling = false
	// A simulator's clients are tests: no request is refused because there are too
	// many.
	c.MaxRequestsInFlight, c.MaxMutatingRequestsInFlight = 0, 0
	upstream := filters.BasicLongRunningRequestCheck(
		sets.NewString("watch", "proxy"), sets.NewString("attach", "exec", "proxy", "log", "portforward"))
	c.LongRunningFunc = func(r *http.Request, info *genericrequest.RequestInfo) bool {
		return !info.IsResourceRequest && cfg.Handlers[info.Path] != nil || isClock(info) && info.Subresource != "" || upstream(r, info)
	}
	c.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		gated := &entrance{
			next: api, gate: cfg.Gate, faults: cfg.Faults, recorder: cfg.Recorder, authorizer: c.Authorization.Authorizer,
			serializer: c.Serializer, clock: cfg.Clock, ends: ctx, beginList: cfg.BeginList,
			stage: &s.stage, asks: s.asksService,
		}
		return log.identify(withAnswer(genericapiserver.DefaultBuildHandlerChain(withEnd(ctx, withCount(s.remotes.proxy(gated), &s.streams), c.LongRunningFunc), c)))
	}
	if cfg.Configure != nil {
		cfg.Configure(c)
	}
	if log != nil {
		s.audit = &localAudit{log, c.AuditPolicyRuleEvaluator, c.Authorization.Authorizer, c.Serializer}
	}
	return nil
}

// install adds the groups. infos[0] is core. The others are listed by priority, as on a
// real cluster, where the aggregator lists them.
func (s *Server) install(infos []genericapiserver.APIGroupInfo) error {
	if err := s.generic.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, &infos[0]); err != nil {
		return err
	}
	rest := make([]*genericapiserver.APIGroupInfo, 0, len(infos)-1)
	for i := range infos[1:] {
		rest = append(rest, &infos[i+1])
	}
	slices.SortStableFunc(rest, func(a, b *genericapiserver.APIGroupInfo) int {
		first, second := a.PrioritizedVersions[0], b.PrioritizedVersions[0]
		return cmp.Or(-cmp.Compare(priorityOf(first).group, priorityOf(second).group), cmp.Compare(first.Group, second.Group))
	})
	if err := s.generic.InstallAPIGroups(rest...); err != nil {
		return err
	}
	for i := range infos {
		for _, gv := range infos[i].PrioritizedVersions {
			if len(infos[i].VersionedResourcesStorageMap[gv.Version]) > 0 {
				prioritize(s.generic, gv)
				s.versions = append(s.versions, gv)
			}
		}
	}
	services := infos[0].VersionedResourcesStorageMap["v1"]["services"].(*servicestore.REST)
	addressRecords{s.local, serverUser(), s.cfg.Clock}.attach(services.Store)
	return nil
}

// describe serves OpenAPI, unless nobody needs it. The 12 MB of definitions, from which
// the types for server-side apply were made, are not kept.
func (s *Server) describe(c *genericapiserver.Config) error {
	c.OpenAPIV3Config.Definitions = nil
	if s.cfg.NoOpenAPI {
		return nil
	}
	s.openapi = openapi.New(s.generic.Handler.GoRestfulContainer, c.OpenAPIConfig, c.OpenAPIV3Config)
	return s.openapi.Install(s.generic.Handler.NonGoRestfulMux)
}

// Run serves until ctx ends and all requests have been answered.
func (s *Server) Run(ctx context.Context) error {
	defer s.back.end()
	return s.generic.PrepareRun().RunWithContext(ctx)
}

// AwaitStreams returns when every request that connects a client to a container is
// answered, or when ctx ends. It is for a server that stops after its containers have
// ended: their clients must still be told.
func (s *Server) AwaitStreams(ctx context.Context) { s.streams.wait(ctx) }

// Local returns the way to write without HTTP.
func (s *Server) Local() *Local { return s.local }

// Client is the API server's own client. It may do anything and needs no port.
func (s *Server) Client() kubernetes.Interface { return s.client }

// Observe applies one commit of the store. It fills the caches that admission and
// authorization read, and returns the object in its external version, see Lean. It must
// be called in revision order. The result may share memory with obj; neither may be
// changed.
func (s *Server) Observe(gr schema.GroupResource, event watch.EventType, obj runtime.Object) (Object, error) {
	external, err := Lean(obj)
	if err != nil {
		return nil, fmt.Errorf("apiserver: a commit of %s: %w", gr, err)
	}
	s.local.observed(obj, external)
	s.caches.observe(gr, event, external)
	switch obj := external.(type) {
	case *corev1.Service:
		s.groups.numbers.observe(event, obj)
	case *apiregistrationv1.APIService:
		s.remotes.observe(event, obj)
	case *networkingv1.IPAddress:
		s.groups.numbers.observeAddress(event, obj)
	case *networkingv1.ServiceCIDR:
		s.groups.numbers.observeRange(event, obj)
	}
	return external, nil
}

// External returns an object of the store in its external version. The result
// may share memory with obj; neither may be changed.
func External(obj runtime.Object) (Object, error) { return externalObject(obj, nil) }

func newLocal(admit admission.Interface, mapper runtime.EquivalentResourceRegistry, infos []genericapiserver.APIGroupInfo, caches caches, interceptors interceptors, check bool) *Local {
	l := &Local{
		admit: admit, mapper: mapper, check: check, limits: caches[schema.GroupResource{Resource: "limitranges"}].indexer,
		interceptors: interceptors,
	}
	l.served.begin(infos, check)
	return l
}

// secureServing verifies client certificates of the CA and serves only TLS.
func secureServing(cfg *Config) (*genericapiserver.SecureServingInfo, error) {
	ca, err := dynamiccertificates.NewStaticCAContent("client-ca", cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority: %w", err)
	}
	certificate, key, err := encodeCertificate(cfg.Certificate)
	if err != nil {
		return nil, err
	}
	serving, err := dynamiccertificates.NewStaticCertKeyContent("serving-cert", certificate, key)
	if err != nil {
		return nil, fmt.Errorf("the serving certificate: %w", err)
	}
	return &genericapiserver.SecureServingInfo{
		Listener: cfg.Listener, Cert: serving, ClientCA: ca, MinTLSVersion: tls.VersionTLS12,
	}, nil
}

func encodeCertificate(c tls.Certificate) (certificate, key []byte, err error) {
	for _, der := range c.Certificate {
		certificate = append(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("the serving key: %w", err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// newToken returns the secret of the loopback client. It is the only value in a cluster
// that must not follow from the seed.
func newToken() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}
