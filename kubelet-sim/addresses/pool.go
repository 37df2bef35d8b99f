// Package addresses hands out the addresses of a node to its Pods.
//
// Invariant: the holder of an address is not kept here. It follows from the Pods, by a rule
// of the caller; a Pool knows only the Pod that it gave each address to last. So nobody gives one back,
// and a restart takes no address for what it is not.
package addresses

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/types"
)

// Holder is a Pod that was given an address.
type Holder struct {
	Name types.NamespacedName
	UID  types.UID
}

// Pool hands out the addresses of a node in turn, so that one that is free
// again is used as late as possible. Source: the round-robin of CNI's
// host-local plugin.
type Pool struct {
	cidr          netip.Prefix
	gateway, last netip.Addr
	// given has the Pod that got an address last, whether it has it still or not.
	given map[netip.Addr]Holder
}

// NewPool returns the pool of a node's range.
func NewPool(cidr netip.Prefix) Pool {
	gateway := cidr.Masked().Addr().Next()
	return Pool{cidr: cidr.Masked(), gateway: gateway, last: gateway, given: map[netip.Addr]Holder{}}
}

// Take gives h the next address that nobody has, or returns false if there is none.
func (p *Pool) Take(h Holder, has func(Holder, netip.Addr) bool) (netip.Addr, bool) {
	addr := p.last
	for range 1 << (32 - p.cidr.Bits()) {
		addr = addr.Next()
		if !p.cidr.Contains(addr) || !p.cidr.Contains(addr.Next()) {
			addr = p.cidr.Addr() // the last one is the broadcast address
			continue
		}
		if given, ok := p.given[addr]; addr != p.gateway && !(ok && has(given, addr)) {
			p.given[addr], p.last = h, addr
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// Note enters a Pod that may have an address from before the server was started.
// What is no address of the pool is ignored.
func (p *Pool) Note(h Holder, ip string, has func(Holder, netip.Addr) bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !p.cidr.Contains(addr) || !has(h, addr) {
		return
	}
	if given, ok := p.given[addr]; !ok || !has(given, addr) {
		p.given[addr] = h
	}
}

// Contains reports whether an address is the pool's.
func (p *Pool) Contains(addr netip.Addr) bool { return p.cidr.Contains(addr) }

// LastGiven is the address that was given out last.
func (p *Pool) LastGiven() netip.Addr { return p.last }

// Resume goes on after an address, if it is one of the pool's.
func (p *Pool) Resume(last netip.Addr) {
	if p.Contains(last) {
		p.last = last
	}
}
