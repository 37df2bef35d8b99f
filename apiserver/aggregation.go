package apiserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/endpoints"
	"k8s.io/client-go/transport"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/utils/ptr"
)

// remotes are the API servers beside this one, to which APIServices with a Service lead.
// It does for them what upstream's kube-aggregator does, which costs a third of a second
// and 60 MB.
type remotes struct {
	// certificate is Config.FrontProxy.
	certificate tls.Certificate
	// service finds a Service.
	service func(ctx context.Context, namespace, name string) (*corev1.Service, error)
	// announce shows a group to clients; see Server.Announce. ours reports whether this
	// server has the group itself.
	announce func(Announcement)
	ours     func(group string) bool

	mu sync.RWMutex
	// known are the remote APIServices, by group version.
	known map[schema.GroupVersion]*remote
}

// newRemotes returns those of a server, which knows none yet.
func (s *Server) newRemotes() *remotes {
	return &remotes{
		certificate: s.cfg.FrontProxy, announce: s.Announce, known: map[schema.GroupVersion]*remote{},
		ours: func(group string) bool { return slices.Contains(s.groups.names, group) },
		service: func(ctx context.Context, namespace, name string) (*corev1.Service, error) {
			return s.client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		},
	}
}

// LookAtAPIService begins to ask the server of an APIService, which service leads to, for
// its resources.
func (s *Server) LookAtAPIService(ctx context.Context, a *apiregistrationv1.APIService, service *corev1.Service) *Look {
	return s.remotes.look(ctx, a, service)
}

// ForgetAPIService hides what an APIService has led to that is gone or local.
func (s *Server) ForgetAPIService(name string) { s.remotes.forget(name) }

// remote is one of them.
type remote struct {
	service *apiregistrationv1.APIService
	// resources are what its server has said at the last check that succeeded.
	resources []apidiscoveryv2.APIResourceDiscovery
}

// versionOf is the group version of an APIService.
func versionOf(s *apiregistrationv1.APIService) schema.GroupVersion {
	return schema.GroupVersion{Group: s.Spec.Group, Version: s.Spec.Version}
}

// observe applies a commit of an APIService.
func (r *remotes) observe(event watch.EventType, s *apiregistrationv1.APIService) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gv := versionOf(s)
	if event == watch.Deleted || s.Spec.Service == nil {
		delete(r.known, gv)
		return
	}
	next := &remote{service: s}
	if old := r.known[gv]; old != nil {
		next.resources = old.resources
	}
	r.known[gv] = next
}

// find returns the APIService that answers a path, nil if this server does.
func (r *remotes) find(path string) *apiregistrationv1.APIService {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 4)
	if len(parts) < 3 || parts[0] != "apis" {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if found := r.known[schema.GroupVersion{Group: parts[1], Version: parts[2]}]; found != nil {
		return found.service
	}
	return nil
}

// portDefault is the port of a reference without one.
const portDefault = 443

// address is where the server of an APIService is reached: at the external name of its
// Service, from this machine.
func address(s *apiregistrationv1.APIService, service *corev1.Service) (*url.URL, error) {
	if service.Spec.Type != corev1.ServiceTypeExternalName {
		return nil, fmt.Errorf("service/%s in %q is of type %s: kubesim reaches an API server only beside the cluster, by a Service of type ExternalName, for example with externalName: localhost",
			service.Name, service.Namespace, service.Spec.Type)
	}
	port := strconv.Itoa(int(ptr.Deref(s.Spec.Service.Port, portDefault)))
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(service.Spec.ExternalName, port)}, nil
}

// transport returns the way to the server. client-go keeps one for each configuration.
func (r *remotes) transport(s *apiregistrationv1.APIService) (http.RoundTripper, error) {
	certificate, key, err := encodeCertificate(r.certificate)
	if err != nil {
		return nil, err
	}
	return transport.New(&transport.Config{TLS: transport.TLSConfig{
		Insecure: s.Spec.InsecureSkipTLSVerify, CAData: s.Spec.CABundle, ServerName: s.Spec.Service.Name + "." + s.Spec.Service.Namespace + ".svc",
		CertData: certificate, KeyData: key,
	}})
}

// checkTime bounds how long a server may take to answer a check. Unit: wall time. Source:
// AvailableConditionController.sync, k8s.io/kube-aggregator v0.37.2.
const checkTime = 5 * time.Second

// Look is a question to a server beside the cluster. It is asked in a goroutine of its
// own, so a server that hangs keeps nobody waiting.
type Look struct {
	remotes *remotes
	service *apiregistrationv1.APIService
	over    chan struct{}
	// These may be read once over is closed.
	resources []apidiscoveryv2.APIResourceDiscovery
	err       error
}

func (r *remotes) look(ctx context.Context, s *apiregistrationv1.APIService, service *corev1.Service) *Look {
	l := &Look{remotes: r, service: s, over: make(chan struct{})}
	go func() {
		defer close(l.over)
		l.resources, l.err = r.ask(ctx, s, service)
	}()
	return l
}

// Over is closed when the server has answered, or too much time has passed.
func (l *Look) Over() <-chan struct{} { return l.over }

// Learn is called once Over is closed, where Announce may be called. If the server has
// answered, clients find its resources from now on.
func (l *Look) Learn() error {
	if l.err != nil {
		return l.err
	}
	r := l.remotes
	r.mu.Lock()
	if found := r.known[versionOf(l.service)]; found != nil {
		found.resources = l.resources
	}
	r.mu.Unlock()
	r.tell(l.service.Spec.Group)
	return nil
}

// ask asks the server of an APIService for its resources.
func (r *remotes) ask(ctx context.Context, s *apiregistrationv1.APIService, service *corev1.Service) ([]apidiscoveryv2.APIResourceDiscovery, error) {
	location, err := address(s, service)
	if err != nil {
		return nil, err
	}
	location.Path = "/apis/" + s.Spec.Group + "/" + s.Spec.Version
	var list metav1.APIResourceList
	if err := r.get(ctx, s, location, &list); err != nil {
		return nil, err
	}
	resources, err := endpoints.ConvertGroupVersionIntoToDiscovery(list.APIResources)
	if err != nil {
		return nil, fmt.Errorf("failing or missing response from %v: %w", location, err)
	}
	return resources, nil
}

// get reads a JSON document of a server.
func (r *remotes) get(ctx context.Context, s *apiregistrationv1.APIService, location *url.URL, into any) error {
	through, err := r.transport(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	transport.SetAuthProxyHeaders(req, "system:kube-aggregator", "", []string{"system:masters"}, nil)
	resp, err := (&http.Client{Transport: through, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		utilnet.CloseIdleConnectionsFor(through)
		return fmt.Errorf("failing or missing response from %v: %w", location, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("failing or missing response from %v: bad status from %v: %d", location, location, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("failing or missing response from %v: %w", location, err)
	}
	return nil
}

// forget hides the group version of an APIService that is gone or local.
func (r *remotes) forget(name string) {
	gv := helper.APIServiceNameToGroupVersion(name)
	r.tell(gv.Group)
}

// tell announces what is known of a group.
func (r *remotes) tell(group string) {
	if r.ours(group) {
		return // clients find what this server says of it
	}
	r.mu.RLock()
	var all []*apiregistrationv1.APIService
	found := map[string]*remote{}
	for gv, each := range r.known {
		if gv.Group == group && each.resources != nil {
			all = append(all, each.service)
			found[gv.Version] = each
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(all, func(a, b *apiregistrationv1.APIService) int { return cmp.Compare(a.Name, b.Name) })
	announcement := Announcement{Group: group}
	for _, sorted := range helper.SortedByGroupAndVersion(all) {
		for _, s := range sorted {
			announcement.Versions = append(announcement.Versions, AnnouncedVersion{
				Version: s.Spec.Version, Resources: found[s.Spec.Version].resources,
				Describe: func() (*spec3.OpenAPI, error) { return r.describe(s) },
			})
		}
	}
	r.announce(announcement)
}

// describe asks the server for its OpenAPI v3.
func (r *remotes) describe(s *apiregistrationv1.APIService) (*spec3.OpenAPI, error) {
	ctx := context.Background() // get bounds it
	service, err := r.service(ctx, s.Spec.Service.Namespace, s.Spec.Service.Name)
	if err != nil {
		return nil, err
	}
	location, err := address(s, service)
	if err != nil {
		return nil, err
	}
	location.Path = "/openapi/v3/apis/" + s.Spec.Group + "/" + s.Spec.Version
	description := &spec3.OpenAPI{}
	if err := r.get(ctx, s, location, description); err != nil {
		return nil, err
	}
	if description.Paths == nil {
		return nil, errors.New("the description of " + s.Name + " has no paths")
	}
	return description, nil
}
