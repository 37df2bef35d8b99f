package registry

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"

	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

// IPs allocates the cluster IPs of Services from the IPv4 ranges of ServiceCIDRs, as
// upstream's MetaAllocator does, in the cluster's randomness. Ranges may overlap: an
// address is taken in all of them.
//
// The first address of a range is the network's and the last the broadcast address:
// neither is given out.
type IPs struct {
	*pool
	dryRun bool
}

var _ ipallocator.Interface = (*IPs)(nil)

// pool is what an allocator shares with its dry run.
type pool struct {
	mu     sync.Mutex
	random Random
	// own is the range of the server. It is the first from which addresses are taken.
	own netip.Prefix
	// ranges are those of all ServiceCIDRs, in the order in which addresses are taken.
	ranges []*ipRange
	// claimed and held are as in set.
	claimed map[uint32]struct{}
	held    map[uint32]int
}

// ipRange is one range of one or more ServiceCIDRs.
type ipRange struct {
	prefix netip.Prefix
	// first is the first address that is given out, and size how many there are.
	first uint32
	size  int
	// used counts those that are taken.
	used int
	// owners are the ServiceCIDRs that have the range, and whether each is ready.
	owners map[string]bool
}

// NewIPs returns an allocator that has no range yet. own is the range of which addresses
// are taken first, once it is one of a ServiceCIDR.
func NewIPs(own net.IPNet, random Random) *IPs {
	prefix, _ := netip.ParsePrefix(own.String()) // if it is none, no range comes first
	return &IPs{pool: &pool{random: random, own: prefix, claimed: map[uint32]struct{}{}, held: map[uint32]int{}}}
}

// SetRange records that the ServiceCIDR owner has a range, and whether it is ready. A
// range that is no IPv4 network does not matter.
func (p *pool) SetRange(owner, cidr string, ready bool) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || !prefix.Addr().Is4() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.ranges, func(r *ipRange) bool { return r.prefix == prefix })
	if at < 0 {
		at = len(p.ranges)
		p.ranges = append(p.ranges, p.newRange(prefix))
	}
	p.ranges[at].owners[owner] = ready
	slices.SortFunc(p.ranges, func(a, b *ipRange) int {
		if (a.prefix == p.own) != (b.prefix == p.own) {
			return map[bool]int{true: -1, false: 1}[a.prefix == p.own]
		}
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.size, b.size))
	})
}

// RemoveRange records that the ServiceCIDR owner does not have the range any more.
func (p *pool) RemoveRange(owner, cidr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ranges = slices.DeleteFunc(p.ranges, func(r *ipRange) bool {
		if r.prefix.String() != cidr {
			return false
		}
		delete(r.owners, owner)
		return len(r.owners) == 0
	})
}

// InRange reports whether an address is of a range, ready or not.
func (p *pool) InRange(ip net.IP) bool {
	n, ok := number(ip)
	p.mu.Lock()
	defer p.mu.Unlock()
	return ok && slices.ContainsFunc(p.ranges, func(r *ipRange) bool { return r.has(n) })
}

func (p *pool) newRange(prefix netip.Prefix) *ipRange {
	first := binary.BigEndian.Uint32(prefix.Masked().Addr().AsSlice()) + 1
	r := &ipRange{prefix: prefix, first: first, size: max(0, 1<<(32-prefix.Bits())-2), owners: map[string]bool{}}
	for n := range p.claimed {
		if r.has(n) {
			r.used++
		}
	}
	for n := range p.held {
		if _, counted := p.claimed[n]; r.has(n) && !counted {
			r.used++
		}
	}
	return r
}

// has reports whether n is one of the addresses that the range gives out.
func (r *ipRange) has(n uint32) bool { return n >= r.first && int(n-r.first) < r.size }

// ready reports whether one of the owners is, as upstream does.
func (r *ipRange) ready() bool {
	for _, ready := range r.owners {
		if ready {
			return true
		}
	}
	return false
}

// number is an IPv4 address as a number.
func number(ip net.IP) (uint32, bool) {
	v4 := ip.To4()
	if v4 == nil {
		return 0, false
	}
	return binary.BigEndian.Uint32(v4), true
}

func address(n uint32) net.IP {
	ip := make(net.IP, net.IPv4len)
	binary.BigEndian.PutUint32(ip, n)
	return ip
}

func (p *pool) taken(n uint32) bool {
	_, claimed := p.claimed[n]
	_, held := p.held[n]
	return claimed || held
}

// change changes what is claimed or held of n.
func (p *pool) change(n uint32, change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed(n, change)
}

func (p *pool) changed(n uint32, change func()) {
	before := p.taken(n)
	change()
	after := p.taken(n)
	for _, r := range p.ranges {
		switch {
		case before == after || !r.has(n):
		case after:
			r.used++
		default:
			r.used--
		}
	}
}

// Allocate implements ipallocator.Interface. Upstream: AllocateService of MetaAllocator.
func (a *IPs) Allocate(ip net.IP) error {
	n, ok := number(ip)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !ok || !slices.ContainsFunc(a.ranges, func(r *ipRange) bool { return r.ready() && r.has(n) }):
		return ipallocator.ErrMismatchedNetwork
	case a.taken(n):
		return ipallocator.ErrAllocated
	case !a.dryRun:
		a.changed(n, func() { a.claimed[n] = struct{}{} })
	}
	return nil
}

// AllocateNext implements ipallocator.Interface: it takes a random address of the first
// range that has one, or the next free one after it.
func (a *IPs) AllocateNext() (net.IP, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.ranges {
		if !r.ready() || r.used >= r.size {
			continue
		}
		n := r.first + uint32(a.random.Uint64()%uint64(r.size))
		for a.taken(n) {
			n = r.first + (n-r.first+1)%uint32(r.size)
		}
		if !a.dryRun {
			a.changed(n, func() { a.claimed[n] = struct{}{} })
		}
		return address(n), nil
	}
	return nil, ipallocator.ErrFull
}

// Release implements ipallocator.Interface: it ends a claim. An address that a Service
// holds is free once the Service has released it.
func (a *IPs) Release(ip net.IP) error {
	if n, ok := number(ip); ok && !a.dryRun {
		a.change(n, func() { delete(a.claimed, n) })
	}
	return nil
}

// Hold records that one more stored Service or IPAddress has the address. Drop records
// that one no longer has it.
func (a *IPs) Hold(ip net.IP) {
	if n, ok := number(ip); ok {
		a.change(n, func() {
			delete(a.claimed, n)
			a.held[n]++
		})
	}
}

// Drop is the inverse of Hold.
func (a *IPs) Drop(ip net.IP) {
	if n, ok := number(ip); ok {
		a.change(n, func() {
			if a.held[n]--; a.held[n] <= 0 {
				delete(a.held, n)
			}
		})
	}
}

// ForEach implements ipallocator.Interface; nothing that kubesim uses calls it.
func (a *IPs) ForEach(f func(net.IP)) {
	a.mu.Lock()
	var all []uint32
	for n := range a.held {
		all = append(all, n)
	}
	a.mu.Unlock()
	slices.Sort(all)
	for _, n := range all {
		f(address(n))
	}
}

// CIDR implements ipallocator.Interface. Like upstream's it says nothing: there may be
// several ranges.
func (a *IPs) CIDR() net.IPNet { return net.IPNet{} }

// IPFamily implements ipallocator.Interface.
func (a *IPs) IPFamily() core.IPFamily { return core.IPv4Protocol }

// Has implements ipallocator.Interface.
func (a *IPs) Has(ip net.IP) bool {
	n, ok := number(ip)
	a.mu.Lock()
	defer a.mu.Unlock()
	return ok && a.taken(n)
}

// Destroy implements ipallocator.Interface.
func (a *IPs) Destroy() {}

// EnableMetrics implements ipallocator.Interface.
func (a *IPs) EnableMetrics() {}

// DryRun implements ipallocator.Interface.
func (a *IPs) DryRun() ipallocator.Interface { return &IPs{pool: a.pool, dryRun: true} }
