package registry

import (
	"errors"
	"net"
	"testing"

	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

func newTestIPs(t *testing.T, own string) *IPs {
	t.Helper()
	_, cidr, err := net.ParseCIDR(own)
	if err != nil {
		t.Fatal(err)
	}
	return NewIPs(*cidr, &countingRandom{})
}

func TestIPs(t *testing.T) {
	ips := newTestIPs(t, "10.96.0.0/30")
	if _, err := ips.AllocateNext(); !errors.Is(err, ipallocator.ErrFull) {
		t.Errorf("without a ServiceCIDR AllocateNext() gave %v, want ErrFull", err)
	}
	ips.SetRange("kubernetes", "10.96.0.0/30", true) // two addresses to give out
	if err := ips.Allocate(net.ParseIP("10.96.0.1")); err != nil {
		t.Fatalf("a free address was refused: %v", err)
	}
	if err := ips.Allocate(net.ParseIP("10.96.0.1")); !errors.Is(err, ipallocator.ErrAllocated) {
		t.Errorf("a taken address gave %v, want ErrAllocated", err)
	}
	for _, ip := range []string{"10.96.0.0", "10.96.0.3", "10.97.0.1", "::1"} {
		if err := ips.Allocate(net.ParseIP(ip)); !errors.Is(err, ipallocator.ErrMismatchedNetwork) {
			t.Errorf("Allocate(%s) = %v, want ErrMismatchedNetwork", ip, err)
		}
	}
	dry, err := ips.DryRun().AllocateNext()
	if err != nil || ips.Has(dry) {
		t.Errorf("a dry run gave %v, %v and must not take it", dry, err)
	}
	next, err := ips.AllocateNext()
	if err != nil || next.String() != "10.96.0.2" {
		t.Errorf("AllocateNext() = %v, %v, want the last free one, 10.96.0.2", next, err)
	}
	if _, err := ips.AllocateNext(); !errors.Is(err, ipallocator.ErrFull) {
		t.Errorf("a full range gave %v, want ErrFull", err)
	}
	if err := ips.Release(next); err != nil || ips.Has(next) {
		t.Errorf("Release left the address taken (%v)", err)
	}
}

// TestIPsOfSeveralRanges: the server's own comes first; what is taken is taken in all.
func TestIPsOfSeveralRanges(t *testing.T) {
	ips := newTestIPs(t, "10.96.0.0/30")
	ips.Hold(net.ParseIP("10.1.0.2")) // before its range is known
	ips.SetRange("more", "10.1.0.0/30", true)
	ips.SetRange("late", "10.2.0.0/30", false)
	ips.SetRange("kubernetes", "10.96.0.0/30", true)
	ips.SetRange("same", "10.1.0.0/30", false)
	ips.SetRange("six", "fd00::/112", true)
	take := func(want ...string) {
		t.Helper()
		for range want {
			got, err := ips.AllocateNext()
			if err != nil {
				t.Fatalf("AllocateNext() gave %v, want one of %v", err, want)
			}
			ips.Hold(got)
		}
		for _, ip := range want {
			if !ips.Has(net.ParseIP(ip)) {
				t.Errorf("%s is free, want it taken", ip)
			}
		}
	}
	full := func() {
		t.Helper()
		if got, err := ips.AllocateNext(); !errors.Is(err, ipallocator.ErrFull) {
			t.Errorf("AllocateNext() gave %v, %v, want ErrFull", got, err)
		}
	}
	take("10.96.0.1", "10.96.0.2")
	take("10.1.0.1")
	full()
	if err := ips.Allocate(net.ParseIP("10.2.0.1")); !errors.Is(err, ipallocator.ErrMismatchedNetwork) {
		t.Errorf("a range that is not ready gave %v, want ErrMismatchedNetwork", err)
	}
	ips.RemoveRange("more", "10.1.0.0/30")
	ips.Drop(net.ParseIP("10.1.0.1"))
	full() // the other owner is not ready
	ips.SetRange("same", "10.1.0.0/30", true)
	take("10.1.0.1")
	ips.RemoveRange("same", "10.1.0.0/30")
	if ips.InRange(net.ParseIP("10.1.0.1")) || !ips.InRange(net.ParseIP("10.2.0.1")) {
		t.Error("InRange does not follow the ServiceCIDRs")
	}
}
