package registry

import (
	"sync"

	"k8s.io/kubernetes/pkg/registry/core/service/allocator"
)

// set is a set of numbers below max from which the cluster's randomness chooses. A
// number is taken while a request claims it, and as long as a stored Service holds it. See IPs
// for addresses.
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
