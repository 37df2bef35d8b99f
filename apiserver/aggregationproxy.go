package apiserver

import (
	"net/http"

	"k8s.io/apimachinery/pkg/util/proxy"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	apiserverproxy "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/client-go/transport"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	"k8s.io/streaming/pkg/httpstream"
)

// proxy passes requests for the groups of remote APIServices on to their servers, and
// others to next. It is before the gate: the server may ask this one meanwhile, for
// example somebody's identity.
func (r *remotes) proxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if s := r.find(req.URL.Path); s != nil {
			r.pass(w, req, s)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// pass is proxyHandler.ServeHTTP, k8s.io/kube-aggregator pkg/apiserver v0.37.2.
func (r *remotes) pass(w http.ResponseWriter, req *http.Request, s *apiregistrationv1.APIService) {
	if !helper.IsAPIServiceConditionTrue(s, apiregistrationv1.Available) {
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	}
	user, ok := genericrequest.UserFrom(req.Context())
	if !ok {
		http.Error(w, "missing user", http.StatusInternalServerError)
		return
	}
	through, err := r.transport(s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	service, err := r.service(req.Context(), s.Spec.Service.Namespace, s.Spec.Service.Name)
	if err != nil {
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	}
	location, err := address(s, service)
	if err != nil {
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	}
	location.Path, location.RawQuery = req.URL.Path, req.URL.Query().Encode()
	passed, cancel := apiserverproxy.NewRequestForProxy(location, req)
	defer cancel()
	upgrade := httpstream.IsUpgradeRequest(req)
	if upgrade {
		// It dials by itself, past the round tripper.
		transport.SetAuthProxyHeaders(passed, user.GetName(), user.GetUID(), user.GetGroups(), user.GetExtra())
	}
	through = transport.NewAuthProxyRoundTripper(user.GetName(), user.GetUID(), user.GetGroups(), user.GetExtra(), through)
	handler := proxy.NewUpgradeAwareHandler(location, through, true, upgrade, unavailable{})
	handler.RejectForwardingRedirects = true
	handler.ServeHTTP(w, passed)
}

// unavailable answers for a server that cannot be reached.
type unavailable struct{}

// Error implements proxy.ErrorResponder.
func (unavailable) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
