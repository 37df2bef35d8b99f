package apiserver

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	netutils "k8s.io/utils/net"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// DefaultServiceClusterIPRange is the default range of Services' addresses. Source:
// kubeadm's default, networking.serviceSubnet.
const DefaultServiceClusterIPRange = "10.96.0.0/12"

// ServiceRange is the range of Services' addresses.
type ServiceRange struct {
	net.IPNet
	// Kubernetes is the address of the Service kubernetes: the first of the range.
	Kubernetes net.IP
	// DNS is the address of the cluster's name server: the tenth of the range. Source:
	// GetDNSIP, k8s.io/kubernetes cmd/kubeadm/app/constants v1.37.2. A range without a
	// tenth has localDNS.
	DNS net.IP
}

// These are the bounds of a range, and the places of the first two addresses in it.
// Source: validateClusterIPFlags in k8s.io/kubernetes cmd/kube-apiserver/app/options, and
// ServiceIPRange in pkg/controlplane, v1.37.2.
const (
	serviceRangeBitsMax = 20
	serviceRangeMin     = 8
	kubernetesIndex     = 1
	dnsIndex            = 10
	// localDNS is where NodeLocal DNSCache listens. Source: its manifest, and its
	// documentation: __PILLAR__LOCAL__DNS__.
	localDNS = "169.254.20.10"
)

// ParseServiceRange parses the value of --service-cluster-ip-range. Empty means the
// default.
func ParseServiceRange(text string) (ServiceRange, error) {
	if text == "" {
		text = DefaultServiceClusterIPRange
	}
	if strings.Contains(text, ",") {
		return ServiceRange{}, fmt.Errorf("--service-cluster-ip-range %s: want one range: kubesim's Services have IPv4 addresses alone", text)
	}
	_, cidr, err := netutils.ParseCIDRSloppy(text)
	if err != nil {
		return ServiceRange{}, fmt.Errorf("--service-cluster-ip-range %q is not a valid CIDR: want for example %s", text, DefaultServiceClusterIPRange)
	}
	if !netutils.IsIPv4CIDR(cidr) {
		return ServiceRange{}, fmt.Errorf("--service-cluster-ip-range %s: want a range of IPv4: kubesim's Services have no other addresses", text)
	}
	ones, bits := cidr.Mask.Size()
	if bits-ones > serviceRangeBitsMax {
		return ServiceRange{}, fmt.Errorf("specified --service-cluster-ip-range is too large; for %d-bit addresses, the mask must be >= %d", bits, bits-serviceRangeBitsMax)
	}
	size := netutils.RangeSize(cidr)
	if size < serviceRangeMin {
		return ServiceRange{}, fmt.Errorf("--service-cluster-ip-range %s: the service cluster IP range must be at least %d IP addresses", text, serviceRangeMin)
	}
	first, err := netutils.GetIndexedIP(cidr, kubernetesIndex)
	dns := net.ParseIP(localDNS)
	if err == nil && size > dnsIndex {
		dns, err = netutils.GetIndexedIP(cidr, dnsIndex)
	}
	return ServiceRange{IPNet: *cidr, Kubernetes: first, DNS: dns}, err
}

// Overlaps reports whether an address is in both ranges.
func (r ServiceRange) Overlaps(other *net.IPNet) bool {
	return r.Contains(other.IP) || other.Contains(r.IP)
}

// outside has the Services whose address is not of the server's own range.
type outside map[types.UID]stray

// stray is such a Service, and its address.
type stray struct {
	ip net.IP
	of string
	// kubernetes says that it is the Service kubernetes, whose address is the first of the
	// range.
	kubernetes bool
}

// check refuses a range with which addresses can no longer be used: those of Services
// last forever. Addresses of a ServiceCIDR can.
func (o outside) check(r ServiceRange, ips *registry.IPs) error {
	const otherwise = "give the range that the cluster began with, or begin a new cluster elsewhere, for example with another --data-dir"
	least := ""
	for _, s := range o {
		if !s.kubernetes && ips.InRange(s.ip) {
			continue
		}
		if text := s.ip.String() + " of " + s.of; least == "" || text < least {
			least = text
		}
	}
	if least == "" {
		return nil
	}
	return fmt.Errorf("--service-cluster-ip-range %s: the cluster has Services with addresses of another range, such as %s: %w", r.String(), least, errors.New(otherwise))
}
