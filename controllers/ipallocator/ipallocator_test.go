package ipallocator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func service(name, ip string, edits ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, CreationTimestamp: metav1.NewTime(noon().Add(-time.Hour))},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip}},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func external(s *corev1.Service) { s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName} }

func record(ip, of string, edits ...func(*networkingv1.IPAddress)) *networkingv1.IPAddress {
	o := &networkingv1.IPAddress{
		ObjectMeta: metav1.ObjectMeta{Name: ip, CreationTimestamp: metav1.NewTime(noon()), Labels: map[string]string{
			networkingv1.LabelIPAddressFamily: "IPv4", networkingv1.LabelManagedBy: ipallocator.ControllerName,
		}},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: "default", Name: of}},
	}
	for _, edit := range edits {
		edit(o)
	}
	return o
}

func unlabelled(o *networkingv1.IPAddress) { o.Labels = nil }

func ofGateway(o *networkingv1.IPAddress) {
	o.Spec.ParentRef = &networkingv1.ParentReference{Group: "gateway.networking.k8s.io", Resource: "gateways", Name: "g"}
}

func TestDecide(t *testing.T) {
	const ip = "10.96.0.7"
	wrong := repair{IP: ip, Reason: "ClusterIPNotAllocated", Delete: true, Create: true,
		Message: "the ClusterIP [IPv4]: 10.96.0.7 for Service default/a has a wrong reference; repairing"}
	for name, tc := range map[string]struct {
		ip       string
		address  *networkingv1.IPAddress
		referred *corev1.Service
		want     repair
	}{
		"right": {address: record(ip, "a"), referred: service("a", ip)},
		"no address": {ip: "10.96.0.7x", want: repair{IP: "10.96.0.7x", Reason: "ClusterIPNotValid",
			Message: "Cluster IP <nil> is not a valid IP; please recreate Service"}},
		"no ServiceCIDR has it": {ip: "10.97.0.7", want: repair{IP: "10.97.0.7", Reason: "ClusterIPOutOfRange",
			Message: "Cluster IP [IPv4]: 10.97.0.7 is not within any configured Service CIDR; please recreate service"}},
		"a broadcast address is of none": {ip: "10.96.0.255", want: repair{IP: "10.96.0.255", Reason: "ClusterIPOutOfRange",
			Message: "Cluster IP [IPv4]: 10.96.0.255 is not within any configured Service CIDR; please recreate service"}},
		"not recorded": {want: repair{IP: ip, Reason: "ClusterIPNotAllocated", Create: true,
			Message: "Cluster IP [IPv4]: 10.96.0.7 is not allocated; repairing"}},
		"recorded as a Gateway's":                     {address: record(ip, "a", ofGateway), want: wrong},
		"recorded as nobody's":                        {address: record(ip, "b"), want: wrong},
		"recorded as another's, which has not got it": {address: record(ip, "b"), referred: service("b", "10.96.0.8")},
		"two Services have it": {address: record(ip, "b"), referred: service("b", ip), want: repair{IP: ip, Reason: "ClusterIPAlreadyAllocated",
			Message: "Cluster IP [IPv4]:10.96.0.7 was assigned to multiple services; please recreate service"}},
		"without labels": {address: record(ip, "a", unlabelled), referred: service("a", ip), want: repair{IP: ip, Delete: true, Create: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.ip == "" {
				tc.ip = ip
			}
			ranges := []*networkingv1.ServiceCIDR{{Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"fd00::/112", "10.96.0.0/24"}}}}
			got, is := decide(service("a", tc.ip), tc.ip, ranges, tc.address, tc.referred)
			if diff := cmp.Diff(tc.want, got); diff != "" || is != (tc.want != repair{}) {
				t.Errorf("wrong: %v (-want +got):\n%s", is, diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	const ip = "10.96.0.7"
	leaked := verdict{Reason: "IPAddressNotAllocated", Message: "IPAddress: 10.96.0.7 for Service default/a appears to have leaked: cleaning up"}
	misled := verdict{Reason: "IPAddressWrongReference", Message: "IPAddress: 10.96.0.7 for Service default/a has a wrong reference; cleaning up"}
	young := func(s *corev1.Service) { s.CreationTimestamp = metav1.NewTime(noon().Add(time.Hour)) }
	for name, tc := range map[string]struct {
		address *networkingv1.IPAddress
		of      *corev1.Service
		after   time.Duration
		want    verdict
	}{
		"its Service has it":                          {record(ip, "a"), service("a", ip), 0, verdict{}},
		"its Service may be on its way":               {record(ip, "a"), nil, 59 * time.Second, verdict{WakeAt: noon().Add(time.Minute)}},
		"its Service has not come":                    {record(ip, "a"), nil, time.Minute, leaked},
		"its Service may be about to have an address": {record(ip, "a"), service("a", "", external), 59 * time.Second, verdict{WakeAt: noon().Add(time.Minute)}},
		"its Service has not got one":                 {record(ip, "a"), service("a", "", external), time.Minute, misled},
		"it may be about to be taken back":            {record(ip, "a"), service("a", "10.96.0.8"), 4 * time.Second, verdict{WakeAt: noon().Add(5 * time.Second)}},
		"it was not taken back":                       {record(ip, "a"), service("a", "10.96.0.8"), 5 * time.Second, misled},
		"its Service is younger and has another":      {record(ip, "a"), service("a", "10.96.0.8", young), 0, misled},
		"it was changed": {record(ip, "a", ofGateway), nil, 0, verdict{Reason: "IPAddressNotAllocated",
			Message: "IPAddress 10.96.0.7 appears to have been modified, not referencing a Service &ParentReference{Group:gateway.networking.k8s.io,Resource:gateways,Namespace:,Name:g,}: cleaning up"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, judge(tc.address, tc.of, noon().Add(tc.after))); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}
