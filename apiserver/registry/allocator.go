package registry

import (
	"encoding/binary"
	"net"
	"sync"

	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/service/allocator"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

// set is a set of numbers below max from which the cluster's randomness chooses. A
// number is taken while a request claims it, and as long as a stored Service holds it.
//
// Deviation: upstream keeps a bitmap of ports in the store, and its repair loops. Here
// the Services and IPAddresses are the only record. Of two servers that share a cluster
// and choose the same address at the same moment, one refuses its Service; they may give
// out the same port twice.
type set struct {
	mu      sync.Mutex
	random  Random
	max     int
	claimed map[int]struct{}
	// held counts the Services that have a number. It is two if two servers gave the
	// number out at once. The number is free when the last of them has released it.
	held map[int]int
}

func newSet(limit int, random Random) *set {
	return &set{max: limit, random: random, claimed: map[int]struct{}{}, held: map[int]int{}}
}

// take claims n, and reports whether it was free.
func (s *set) take(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used(n) {
		return false
	}
	s.claimed[n] = struct{}{}
	return true
}

// takeAny claims a free number: a random one, or the next free one after it.
func (s *set) takeAny() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free() <= 0 {
		return 0, false
	}
	n := int(s.random.Uint64() % uint64(s.max))
	for s.used(n) {
		n = (n + 1) % s.max
	}
	s.claimed[n] = struct{}{}
	return n, true
}

// release ends a claim. A number that a Service holds is free once the Service has
// released it.
func (s *set) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claimed, n)
}

// hold and drop follow what is stored: one more Service has n, or one fewer.
func (s *set) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claimed, n)
	s.held[n]++
}

func (s *set) drop(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[n]--; s.held[n] <= 0 {
		delete(s.held, n)
	}
}

func (s *set) has(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used(n)
}

func (s *set) used(n int) bool {
	_, claimed := s.claimed[n]
	_, held := s.held[n]
	return claimed || held
}

func (s *set) free() int { return s.max - len(s.claimed) - len(s.held) }

// Ports is upstream's allocator of node ports on the cluster's randomness.
type Ports struct{ *set }

var _ allocator.Interface = Ports{}

// NewPorts returns an allocator of limit consecutive ports.
func NewPorts(limit int, random Random) Ports { return Ports{newSet(limit, random)} }

// Allocate implements allocator.Interface.
func (p Ports) Allocate(n int) (bool, error) { return p.take(n), nil }

// AllocateNext implements allocator.Interface.
func (p Ports) AllocateNext() (int, bool, error) {
	n, ok := p.takeAny()
	return n, ok, nil
}

// Release implements allocator.Interface.
func (p Ports) Release(n int) error { p.release(n); return nil }

// ForEach implements allocator.Interface; nothing that kubesim uses calls it.
func (p Ports) ForEach(f func(int)) {
	for n := range p.max {
		if p.has(n) {
			f(n)
		}
	}
}

// Has implements allocator.Interface.
func (p Ports) Has(n int) bool { return p.has(n) }

// Free implements allocator.Interface.
func (p Ports) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free()
}

// Hold records that one more stored Service has port n of the range. Drop records that
// one Service no longer has it.
func (p Ports) Hold(n int) { p.hold(n) }

// Drop is the inverse of Hold.
func (p Ports) Drop(n int) { p.drop(n) }

// Destroy implements allocator.Interface.
func (p Ports) Destroy() {}

// IPs allocates the cluster IPs of Services from an IPv4 range. The first address is
// the network's and the last the broadcast address: neither is given out.
type IPs struct {
	set    *set
	cidr   net.IPNet
	first  uint32
	dryRun bool
}

var _ ipallocator.Interface = (*IPs)(nil)

// NewIPs returns an allocator of cidr, which must be an IPv4 network.
func NewIPs(cidr net.IPNet, random Random) *IPs {
	ones, bits := cidr.Mask.Size()
	first := binary.BigEndian.Uint32(cidr.IP.To4()) + 1
	return &IPs{set: newSet(1<<(bits-ones)-2, random), cidr: cidr, first: first}
}

func (a *IPs) offset(ip net.IP) (int, error) {
	v4 := ip.To4()
	if v4 == nil || !a.cidr.Contains(v4) {
		return 0, &ipallocator.ErrNotInRange{IP: ip, ValidRange: a.cidr.String()}
	}
	n := int(int64(binary.BigEndian.Uint32(v4)) - int64(a.first))
	if n < 0 || n >= a.set.max {
		return 0, &ipallocator.ErrNotInRange{IP: ip, ValidRange: a.cidr.String()}
	}
	return n, nil
}

// Allocate implements ipallocator.Interface.
func (a *IPs) Allocate(ip net.IP) error {
	n, err := a.offset(ip)
	if err != nil {
		return err
	}
	if a.dryRun {
		if a.set.has(n) {
			return ipallocator.ErrAllocated
		}
		return nil
	}
	if !a.set.take(n) {
		return ipallocator.ErrAllocated
	}
	return nil
}

// AllocateNext implements ipallocator.Interface.
func (a *IPs) AllocateNext() (net.IP, error) {
	n, ok := a.set.takeAny()
	if !ok {
		return nil, ipallocator.ErrFull
	}
	if a.dryRun {
		a.set.release(n)
	}
	ip := make(net.IP, net.IPv4len)
	binary.BigEndian.PutUint32(ip, a.first+uint32(n))
	return ip, nil
}

// Release implements ipallocator.Interface.
func (a *IPs) Release(ip net.IP) error {
	if n, err := a.offset(ip); err == nil && !a.dryRun {
		a.set.release(n)
	}
	return nil
}

// Hold records that one more stored Service has the address. Drop records that one
// Service no longer has it. Addresses outside of the range do not matter.
func (a *IPs) Hold(ip net.IP) {
	if n, err := a.offset(ip); err == nil {
		a.set.hold(n)
	}
}

// Drop is the inverse of Hold.
func (a *IPs) Drop(ip net.IP) {
	if n, err := a.offset(ip); err == nil {
		a.set.drop(n)
	}
}

// ForEach implements ipallocator.Interface.
func (a *IPs) ForEach(f func(net.IP)) {
	for n := range a.set.max {
		if a.set.has(n) {
			ip := make(net.IP, net.IPv4len)
			binary.BigEndian.PutUint32(ip, a.first+uint32(n))
			f(ip)
		}
	}
}

// CIDR implements ipallocator.Interface.
func (a *IPs) CIDR() net.IPNet { return a.cidr }

// IPFamily implements ipallocator.Interface.
func (a *IPs) IPFamily() core.IPFamily { return core.IPv4Protocol }

// Has implements ipallocator.Interface.
func (a *IPs) Has(ip net.IP) bool {
	n, err := a.offset(ip)
	return err == nil && a.set.has(n)
}

// Destroy implements ipallocator.Interface.
func (a *IPs) Destroy() {}

// EnableMetrics implements ipallocator.Interface.
func (a *IPs) EnableMetrics() {}

// DryRun implements ipallocator.Interface.
func (a *IPs) DryRun() ipallocator.Interface {
	return &IPs{set: a.set, cidr: a.cidr, first: a.first, dryRun: true}
}
