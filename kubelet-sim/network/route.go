package network

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program/kernel"
)

// Latency is how long a connection to another Pod takes, connectTimeout how
// long a program waits for an address that nobody answers at, unreachableAfter
// how long until a node says that there is no such Pod. Unit: virtual time.
// Source of the two last: Linux, tcp_syn_retries of 6, ARP's three tries.
const (
	Latency          = 500 * time.Microsecond
	connectTimeout   = 127 * time.Second
	unreachableAfter = 3 * time.Second
)

// Resolve finds the server that a connection from a Pod's address reaches in
// the end: behind a Service one of its endpoints, which draw chooses, else to
// itself. isNode tells a node's own addresses.
//
// If there is none, err says so after wait. A Service without an endpoint
// refuses, a Service's address knows no other port than the Service's: that is
// how kube-proxy does it with iptables.
func (c *Cluster) Resolve(from netip.Addr, to netip.AddrPort, draw uint64, isNode func(netip.Addr) bool) (server netip.AddrPort, wait time.Duration, err error) {
	services := engine.ByIndex[*corev1.Service](c.view, engine.Services, byAddress, to.Addr().String())
	for _, s := range services {
		for i := range s.Spec.Ports {
			if p := &s.Spec.Ports[i]; p.Protocol == corev1.ProtocolTCP && p.Port == int32(to.Port()) {
				return c.choose(s, p, from, draw)
			}
		}
	}
	if len(services) > 0 {
		return to, connectTimeout, kernel.ETIMEDOUT
	}
	if isNode(to.Addr()) {
		port := strconv.Itoa(int(to.Port()))
		for _, s := range engine.ByIndex[*corev1.Service](c.view, engine.Services, byPort, port) {
			for i := range s.Spec.Ports {
				if p := &s.Spec.Ports[i]; p.Protocol == corev1.ProtocolTCP && p.NodePort == int32(to.Port()) {
					return c.choose(s, p, from, draw)
				}
			}
		}
	}
	return to, Latency, nil
}

// choose takes one of the endpoints of a Service's port.
func (c *Cluster) choose(s *corev1.Service, p *corev1.ServicePort, from netip.Addr, draw uint64) (netip.AddrPort, time.Duration, error) {
	list := c.endpoints(s, p)
	if len(list) == 0 {
		return netip.AddrPort{}, Latency, kernel.ECONNREFUSED
	}
	if s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s.UID))
		_, _ = h.Write(from.AsSlice())
		draw = binary.BigEndian.Uint64(h.Sum(nil))
	}
	return list[draw%uint64(len(list))], Latency, nil
}

// NoPod says what a program meets at an address where no Pod is: that of a
// Pod's network is unreachable, of anywhere else nothing is heard.
func NoPod(podNetwork bool) (wait time.Duration, err error) {
	if podNetwork {
		return unreachableAfter, kernel.EHOSTUNREACH
	}
	return connectTimeout, kernel.ETIMEDOUT
}
