package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/util/proxy"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// errInside is the answer of a webhook that is a Service with endpoints.
//
// Deviation: a simulated Pod cannot be asked in the middle of a request, and has no TLS.
var errInside = errors.New("simulated Pods serve no webhooks: run it beside kubesim, and set clientConfig.url instead of clientConfig.service")

// Services leads to webhooks that are Services, as upstream does: by their cluster IP.
type Services struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// NewServices reads the informers of factory.
func NewServices(factory informers.SharedInformerFactory) Services {
	return Services{factory.Core().V1().Services().Lister(), factory.Discovery().V1().EndpointSlices().Lister()}
}

var _ webhookutil.ServiceResolver = Services{}

// ResolveEndpoint implements webhookutil.ServiceResolver.
func (s Services) ResolveEndpoint(namespace, name string, port int32) (*url.URL, error) {
	return proxy.ResolveCluster(s.services, namespace, name, port)
}

// Dial is the registry.Dialer of Services: it refuses every connection, as an address
// without endpoints does.
func (s Services) Dial(_ context.Context, network, address string) (net.Conn, error) {
	refused := func(err error) error { return fmt.Errorf("dial %s %s: %w", network, address, err) }
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, refused(err)
	}
	all, err := s.services.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	for _, service := range all {
		if service.Spec.ClusterIP == host && s.ready(service.Namespace, service.Name) {
			return nil, refused(errInside)
		}
	}
	return nil, refused(fmt.Errorf("connect: %w", syscall.ECONNREFUSED))
}

// ready reports whether a Service has an endpoint that is ready.
func (s Services) ready(namespace, name string) bool {
	slices, err := s.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{"kubernetes.io/service-name": name}))
	if err != nil {
		return false
	}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				return true
			}
		}
	}
	return false
}
