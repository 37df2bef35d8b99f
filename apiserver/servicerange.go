package apiserver

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	netutils "k8s.io/utils/net"
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
	// GetDNSIP, k8s.io/kubernetes cmd/kubeadm/app/constants v1.37.2.
	DNS net.IP
}

// These are the bounds of a range, and the places of the first two addresses in it.
// Source: validateClusterIPFlags in k8s.io/kubernetes cmd/kube-apiserver/app/options
// v1.37.2. kubeadm's MinimumAddressesInServiceSubnet is 10, so it does not accept fewer
// either.
const (
	serviceRangeBitsMax = 20
	serviceRangeMin     = 11 // so that there is a tenth address after the network's own
	kubernetesIndex     = 1
	dnsIndex            = 10
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
	if size := netutils.RangeSize(cidr); size < serviceRangeMin {
		return ServiceRange{}, fmt.Errorf("--service-cluster-ip-range %s: a subnet of %d addresses is too small, the tenth is the name server's: want a mask <= 28", text, size)
	}
	first, errFirst := netutils.GetIndexedIP(cidr, kubernetesIndex)
	dns, errDNS := netutils.GetIndexedIP(cidr, dnsIndex)
	return ServiceRange{IPNet: *cidr, Kubernetes: first, DNS: dns}, errors.Join(errFirst, errDNS)
}

// Overlaps reports whether an address is in both ranges.
func (r ServiceRange) Overlaps(other *net.IPNet) bool {
	return r.Contains(other.IP) || other.Contains(r.IP)
}

// outside has the Services whose addresses can no longer be used, because an earlier
// server of the cluster had another range.
type outside map[types.UID]string

// check refuses a range other than the one with which the cluster began: addresses of
// Services last forever.
func (o outside) check(r ServiceRange) error {
	const otherwise = "give the range that the cluster began with, or begin a new cluster elsewhere, for example with another --data-dir"
	least := ""
	for _, text := range o {
		if least == "" || text < least {
			least = text
		}
	}
	if least == "" {
		return nil
	}
	return fmt.Errorf("--service-cluster-ip-range %s: the cluster has Services with addresses of another range, such as %s: %w", r.String(), least, errors.New(otherwise))
}
