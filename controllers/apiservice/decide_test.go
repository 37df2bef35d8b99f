package apiservice

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/utils/ptr"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func TestDecide(t *testing.T) {
	ref := &apiregistrationv1.ServiceReference{Namespace: "kube-system", Name: "metrics", Port: ptr.To[int32](443)}
	service := func(kind corev1.ServiceType, port int32) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Name: "https", Port: port}}}}
	}
	slice := func(port string, ready bool) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			Endpoints: []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
			Ports:     []discoveryv1.EndpointPort{{Name: &port, Port: ptr.To[int32](8443)}},
		}
	}
	for name, tc := range map[string]struct {
		service *corev1.Service
		slices  []*discoveryv1.EndpointSlice
		want    verdict
	}{
		"no Service":              {nil, nil, verdict{"ServiceNotFound", `service/metrics in "kube-system" is not present`}},
		"another port":            {service("ClusterIP", 80), nil, verdict{"ServicePortError", `service/metrics in "kube-system" is not listening on port 443`}},
		"no slices":               {service("ClusterIP", 443), nil, verdict{"EndpointsNotFound", `cannot find endpointslices for service/metrics in "kube-system"`}},
		"nobody is ready":         {service("ClusterIP", 443), []*discoveryv1.EndpointSlice{slice("https", false)}, verdict{"MissingEndpoints", `endpointslices for service/metrics in "kube-system" have no addresses with port name "https"`}},
		"a port of another name":  {service("ClusterIP", 443), []*discoveryv1.EndpointSlice{slice("http", true)}, verdict{"MissingEndpoints", `endpointslices for service/metrics in "kube-system" have no addresses with port name "https"`}},
		"somebody is ready":       {service("ClusterIP", 443), []*discoveryv1.EndpointSlice{slice("http", true), slice("https", true)}, verdict{}},
		"a server beside it: ask": {service("ExternalName", 80), nil, verdict{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(ref, tc.service, tc.slices)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCondition(t *testing.T) {
	service := &apiregistrationv1.APIService{}
	step := func(v verdict, checked error, at time.Time) *apiregistrationv1.APIService {
		next := changed(service, condition(v, checked, at))
		if next != nil {
			service = next
		}
		return next
	}
	want := func(status apiregistrationv1.ConditionStatus, reason, message string, since time.Time) {
		t.Helper()
		if diff := cmp.Diff([]apiregistrationv1.APIServiceCondition{{
			Type: "Available", Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(since),
		}}, service.Status.Conditions); diff != "" {
			t.Errorf("conditions (-want +got):\n%s", diff)
		}
	}
	step(verdict{"ServiceNotFound", "none"}, nil, noon())
	want("False", "ServiceNotFound", "none", noon())
	step(verdict{}, errors.New("refused"), noon().Add(time.Second))
	want("False", "FailedDiscoveryCheck", "refused", noon())
	if step(verdict{}, errors.New("refused"), noon().Add(2*time.Second)) != nil {
		t.Error("what is said already is written again")
	}
	step(verdict{}, nil, noon().Add(3*time.Second))
	want("True", "Passed", "all checks passed", noon().Add(3*time.Second))
}

func TestAgain(t *testing.T) {
	service := changed(&apiregistrationv1.APIService{}, condition(verdict{}, errors.New("refused"), noon()))
	for age, want := range map[time.Duration]time.Duration{
		0: 5 * time.Millisecond, 5 * time.Millisecond: 10 * time.Millisecond, time.Hour: 30 * time.Second, -time.Hour: 5 * time.Millisecond,
	} {
		if got := again(service, noon().Add(age)).Sub(noon().Add(age)); got != want {
			t.Errorf("after %s the next look is in %s, want %s", age, got, want)
		}
	}
}
