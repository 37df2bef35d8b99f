package apiserver

import (
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// serviceNumbers are the cluster IPs and node ports that Services hold. The Services,
// IPAddresses and ServiceCIDRs in the store are their only record. Any server may have
// written them: this one, an earlier one, or another that shares the cluster.
type serviceNumbers struct {
	ips   *registry.IPs
	ports registry.Ports
	held  map[types.UID]holding
	// recorded are the IPAddresses there are. A user may have reserved an address with one.
	recorded map[string]bool
	// cidrs are the ranges of the ServiceCIDRs there are.
	cidrs map[string][]string
	// valid is the range of this server.
	valid   ServiceRange
	outside outside
}

// holding is what one Service holds.
type holding struct {
	ips   []net.IP
	ports []int // of the range
}

func newServiceNumbers(valid ServiceRange, random registry.Random) serviceNumbers {
	return serviceNumbers{
		ips:   registry.NewIPs(valid.IPNet, random),
		ports: registry.NewPorts(nodePortRangeSize, random),
		held:  map[types.UID]holding{}, recorded: map[string]bool{}, cidrs: map[string][]string{},
		valid: valid, outside: outside{},
	}
}

// observe applies one commit of a Service, in revision order. What the Service keeps is
// never free in between.
func (n serviceNumbers) observe(event watch.EventType, service *corev1.Service) {
	before := n.held[service.UID]
	delete(n.held, service.UID)
	var now holding
	if event != watch.Deleted {
		now = holdingOf(service)
		n.held[service.UID] = now
	}
	delete(n.outside, service.UID)
	for _, ip := range now.ips {
		if !slices.ContainsFunc(before.ips, ip.Equal) {
			n.ips.Hold(ip)
		}
		isKubernetes := service.Namespace == metav1.NamespaceDefault && service.Name == kubernetesServiceName
		if !n.valid.Contains(ip) || isKubernetes && !ip.Equal(n.valid.Kubernetes) {
			n.outside[service.UID] = stray{ip: ip, of: service.Namespace + "/" + service.Name, kubernetes: isKubernetes}
		}
	}
	for _, ip := range before.ips {
		if !slices.ContainsFunc(now.ips, ip.Equal) {
			n.ips.Drop(ip)
		}
	}
	for _, port := range now.ports {
		if !slices.Contains(before.ports, port) {
			n.ports.Hold(port)
		}
	}
	for _, port := range before.ports {
		if !slices.Contains(now.ports, port) {
			n.ports.Drop(port)
		}
	}
}

// observeAddress applies one commit of an IPAddress, in revision order.
func (n serviceNumbers) observeAddress(event watch.EventType, address *networkingv1.IPAddress) {
	ip := net.ParseIP(address.Name)
	switch is := event != watch.Deleted; {
	case ip == nil || is == n.recorded[address.Name]:
	case is:
		n.recorded[address.Name] = true
		n.ips.Hold(ip)
	default:
		delete(n.recorded, address.Name)
		n.ips.Drop(ip)
	}
}

// observeRange applies one commit of a ServiceCIDR, in revision order.
func (n serviceNumbers) observeRange(event watch.EventType, object *networkingv1.ServiceCIDR) {
	var now []string
	if event != watch.Deleted {
		now = object.Spec.CIDRs
	}
	// Without the condition, its controller does not run, or not yet: upstream takes it
	// for ready, too.
	ready := object.DeletionTimestamp == nil && !meta.IsStatusConditionFalse(object.Status.Conditions, networkingv1.ServiceCIDRConditionReady)
	for _, cidr := range now {
		n.ips.SetRange(object.Name, cidr, ready)
	}
	for _, cidr := range n.cidrs[object.Name] {
		if !slices.Contains(now, cidr) {
			n.ips.RemoveRange(object.Name, cidr)
		}
	}
	n.cidrs[object.Name] = now
	if len(now) == 0 {
		delete(n.cidrs, object.Name)
	}
}

func holdingOf(service *corev1.Service) holding {
	var h holding
	for _, address := range service.Spec.ClusterIPs {
		if ip := net.ParseIP(address); ip != nil { // not of a headless Service
			h.ips = append(h.ips, ip)
		}
	}
	nodePorts := []int32{service.Spec.HealthCheckNodePort}
	for _, port := range service.Spec.Ports {
		nodePorts = append(nodePorts, port.NodePort)
	}
	for _, port := range nodePorts {
		// A port may occur twice, for TCP and UDP. A port outside of the range does not
		// matter.
		if n := int(port) - nodePortFirst; n >= 0 && n < nodePortRangeSize && !slices.Contains(h.ports, n) {
			h.ports = append(h.ports, n)
		}
	}
	return h
}
