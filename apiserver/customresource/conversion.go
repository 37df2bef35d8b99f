package customresource

import (
	"errors"
	"net/url"

	"k8s.io/apiserver/pkg/util/webhook"
)

// noServices leads to no conversion webhook.
//
// Deviation: a conversion webhook that is a Service is refused. Upstream's converter asks
// without the context of the request, so the engine cannot tell which request waits.
type noServices struct{}

var _ webhook.ServiceResolver = noServices{}

// ResolveEndpoint implements webhook.ServiceResolver.
func (noServices) ResolveEndpoint(string, string, int32) (*url.URL, error) {
	return nil, errors.New("a conversion webhook in a simulated Pod is not supported: set clientConfig.url instead of clientConfig.service")
}
