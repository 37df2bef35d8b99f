package webhook

import (
	"context"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	restclient "k8s.io/client-go/rest"
)

// Conversions lets the clients of conversion webhooks use our UIDs, and our way to
// Services. Upstream's converter asks without a context. So a client of Asking knows for
// whom it asks, and the others ask in the context that stage returns.
func (c Config) Conversions(stage func() context.Context) webhookutil.AuthenticationInfoResolverWrapper {
	return func(next webhookutil.AuthenticationInfoResolver) webhookutil.AuthenticationInfoResolver {
		inner := c.resolver(next)
		wrap := func(cfg *restclient.Config, err error, stage func() context.Context) (*restclient.Config, error) {
			if err == nil {
				cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return converter{next, stage} })
			}
			return cfg, err
		}
		return &webhookutil.AuthenticationInfoResolverDelegator{
			ClientConfigForFunc: func(hostPort string) (*restclient.Config, error) {
				cfg, err := inner.ClientConfigFor(hostPort)
				return wrap(cfg, err, nil)
			},
			ClientConfigForServiceFunc: func(name, namespace string, port int) (*restclient.Config, error) {
				cfg, err := inner.ClientConfigForService(name, namespace, port)
				return wrap(cfg, err, stage)
			},
		}
	}
}

// converter sends the questions of upstream's converter.
type converter struct {
	next http.RoundTripper
	// stage, if set, returns the context of a question that has none.
	stage func() context.Context
}

var _ utilnet.RoundTripperWrapper = converter{}

// WrappedRoundTripper implements utilnet.RoundTripperWrapper.
func (t converter) WrappedRoundTripper() http.RoundTripper { return t.next }

// RoundTrip implements http.RoundTripper. The UID of a question follows from its content:
// reads ask too, and must not draw.
func (t converter) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if asks, ok := ctx.Value(asksKey{}).(context.Context); ok {
		ctx = asks
	} else if t.stage != nil {
		ctx = t.stage()
	}
	return t.next.RoundTrip(req.WithContext(context.WithValue(ctx, uidsKey{}, &uids{})))
}

type asksKey struct{}

// Asking returns a client of a conversion webhook that asks in ctx.
func Asking(ctx context.Context, client *http.Client) *http.Client {
	out := *client
	out.Transport = asking{client.Transport, ctx}
	return &out
}

// asking has a context because it lasts no longer than the call that has it.
type asking struct {
	next http.RoundTripper
	ctx  context.Context //nolint:containedctx // see above
}

// RoundTrip implements http.RoundTripper.
func (t asking) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(req.WithContext(context.WithValue(req.Context(), asksKey{}, t.ctx)))
}
