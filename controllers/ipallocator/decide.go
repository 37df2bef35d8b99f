package ipallocator

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/kubernetes/pkg/api/servicecidr"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
	netutils "k8s.io/utils/net"
)

// repair is what is to be done about one cluster IP of a Service.
type repair struct {
	IP string
	// Reason and Message are those of the Event; without a Reason there is none.
	Reason, Message string
	// Delete and Create say what is done about the IPAddress, in this order.
	Delete, Create bool
}

// decide returns what is wrong with a cluster IP of s. address is its IPAddress, and
// referred the Service to which that refers; both may be nil. Upstream: syncService.
func decide(s *corev1.Service, ip string, ranges []*networkingv1.ServiceCIDR, address *networkingv1.IPAddress, referred *corev1.Service) (repair, bool) {
	wrong := func(reason, format string, args ...any) repair {
		return repair{IP: ip, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	parsed := netutils.ParseIPSloppy(ip)
	if parsed == nil {
		return wrong("ClusterIPNotValid", "Cluster IP %s is not a valid IP; please recreate Service", parsed), true
	}
	if !slices.ContainsFunc(ranges, func(o *networkingv1.ServiceCIDR) bool { return inRange(parsed, o) }) {
		return wrong("ClusterIPOutOfRange", "Cluster IP [%v]: %s is not within any configured Service CIDR; please recreate service", family(ip), ip), true
	}
	if address == nil {
		fix := wrong("ClusterIPNotAllocated", "Cluster IP [%v]: %s is not allocated; repairing", family(ip), ip)
		fix.Create = true
		return fix, true
	}
	again := wrong("ClusterIPNotAllocated", "the ClusterIP [%v]: %s for Service %s/%s has a wrong reference; repairing", family(ip), ip, s.Namespace, s.Name)
	again.Delete, again.Create = true, true
	ref := address.Spec.ParentRef
	switch {
	case ref == nil || ref.Group != "" || ref.Resource != "services":
		return again, true
	case ref.Namespace == s.Namespace && ref.Name == s.Name:
	case referred == nil:
		return again, true
	case slices.Contains(referred.Spec.ClusterIPs, address.Name):
		return wrong("ClusterIPAlreadyAllocated", "Cluster IP [%v]:%s was assigned to multiple services; please recreate service", family(ip), ip), true
	}
	if !managed(address) || address.Labels[networkingv1.LabelIPAddressFamily] != string(family(address.Name)) {
		return repair{IP: ip, Delete: true, Create: true}, true
	}
	return repair{}, false
}

// inRange reports whether an address is one that a ServiceCIDR gives out.
func inRange(ip net.IP, o *networkingv1.ServiceCIDR) bool {
	address := servicecidr.IPToAddr(ip)
	return slices.ContainsFunc(o.Spec.CIDRs, func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && servicecidr.PrefixContainsIP(prefix, address)
	})
}

func family(ip string) corev1.IPFamily {
	if netutils.IsIPv6String(ip) {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

// managed reports whether the API server has made an IPAddress for a Service.
func managed(o *networkingv1.IPAddress) bool {
	return o.Labels[networkingv1.LabelManagedBy] == ipallocator.ControllerName
}

// An IPAddress is written before its Service. So it is not judged before the Service's
// request must have ended, or been taken back. Source: syncIPAddress, v1.37.2.
const (
	requestMax = 60 * time.Second
	revertMax  = 5 * time.Second
)

// verdict says why an IPAddress is deleted, or else when to look again.
type verdict struct {
	Reason, Message string
	WakeAt          time.Time
}

// judge returns what is to be done about an IPAddress that the API server has made. s is
// the Service to which it refers, or nil. Upstream: syncIPAddress.
func judge(o *networkingv1.IPAddress, s *corev1.Service, now time.Time) verdict {
	ref := o.Spec.ParentRef
	if ref == nil || ref.Group != "" || ref.Resource != "services" {
		return verdict{Reason: "IPAddressNotAllocated", Message: fmt.Sprintf("IPAddress %s appears to have been modified, not referencing a Service %v: cleaning up", o.Name, ref)}
	}
	created := o.CreationTimestamp.Time
	if s == nil {
		if at := created.Add(requestMax); now.Before(at) {
			return verdict{WakeAt: at}
		}
		return verdict{Reason: "IPAddressNotAllocated", Message: fmt.Sprintf("IPAddress: %s for Service %s/%s appears to have leaked: cleaning up", o.Name, ref.Namespace, ref.Name)}
	}
	if slices.Contains(s.Spec.ClusterIPs, o.Name) {
		return verdict{}
	}
	if at := created.Add(requestMax); s.Spec.Type == corev1.ServiceTypeExternalName && now.Before(at) {
		return verdict{WakeAt: at}
	}
	if at := created.Add(revertMax); created.After(s.CreationTimestamp.Time) && now.Before(at) {
		return verdict{WakeAt: at}
	}
	return verdict{Reason: "IPAddressWrongReference", Message: fmt.Sprintf("IPAddress: %s for Service %s/%s has a wrong reference; cleaning up", o.Name, s.Namespace, s.Name)}
}
