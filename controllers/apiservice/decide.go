package apiservice

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	"k8s.io/utils/ptr"
)

// verdict is what is known of an APIService without asking its server.
type verdict struct {
	// Reason and Message say why it is not available. Without a Reason, ask.
	Reason, Message string
}

// decide looks at what an APIService refers to: service is nil if there is none, and
// endpoints are those of the service. It reads nothing but its arguments.
func decide(ref *apiregistrationv1.ServiceReference, service *corev1.Service, endpoints []*discoveryv1.EndpointSlice) verdict {
	if service == nil {
		return verdict{"ServiceNotFound", fmt.Sprintf("service/%s in %q is not present", ref.Name, ref.Namespace)}
	}
	if service.Spec.Type != corev1.ServiceTypeClusterIP {
		return verdict{}
	}
	// A Service with a cluster IP must listen on the port, and that can be checked.
	at := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == ptr.Deref(ref.Port, portDefault) })
	if at < 0 {
		return verdict{"ServicePortError", fmt.Sprintf("service/%s in %q is not listening on port %d", ref.Name, ref.Namespace, ptr.Deref(ref.Port, portDefault))}
	}
	name := service.Spec.Ports[at].Name
	switch {
	case len(endpoints) == 0:
		return verdict{"EndpointsNotFound", fmt.Sprintf("cannot find endpointslices for service/%s in %q", ref.Name, ref.Namespace)}
	case !slices.ContainsFunc(endpoints, func(s *discoveryv1.EndpointSlice) bool { return hasEndpoint(s, name) }):
		return verdict{"MissingEndpoints", fmt.Sprintf("endpointslices for service/%s in %q have no addresses with port name %q", ref.Name, ref.Namespace, name)}
	}
	return verdict{}
}

// portDefault is the API's default of a reference.
const portDefault = 443

// hasEndpoint is upstream's hasAvailableEndpoint.
func hasEndpoint(s *discoveryv1.EndpointSlice, port string) bool {
	return slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return ptr.Deref(e.Conditions.Ready, true) }) &&
		slices.ContainsFunc(s.Ports, func(p discoveryv1.EndpointPort) bool { return p.Name != nil && *p.Name == port && p.Port != nil })
}

// condition is the one that follows from a verdict; checked is the answer of the server,
// if it was asked.
func condition(v verdict, checked error, now time.Time) apiregistrationv1.APIServiceCondition {
	c := apiregistrationv1.APIServiceCondition{
		Type: apiregistrationv1.Available, Status: apiregistrationv1.ConditionTrue, LastTransitionTime: metav1.NewTime(now),
		Reason: "Passed", Message: "all checks passed",
	}
	if v.Reason == "" && checked != nil {
		v = verdict{"FailedDiscoveryCheck", checked.Error()}
	}
	if v.Reason != "" {
		c.Status, c.Reason, c.Message = apiregistrationv1.ConditionFalse, v.Reason, v.Message
	}
	return c
}

// changed returns service with the condition, or nil if it says that already.
func changed(service *apiregistrationv1.APIService, c apiregistrationv1.APIServiceCondition) *apiregistrationv1.APIService {
	if old := helper.GetAPIServiceConditionByType(service, c.Type); old != nil && old.Status == c.Status && old.Reason == c.Reason && old.Message == c.Message {
		return nil
	}
	next := service.DeepCopy()
	helper.SetAPIServiceCondition(next, c)
	return next
}
