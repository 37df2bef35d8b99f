package registry

import (
	"errors"
	"net"
	"testing"

	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
)

func TestIPs(t *testing.T) {
	_, cidr, err := net.ParseCIDR("10.96.0.0/30") // two addresses to give out
	if err != nil {
		t.Fatal(err)
	}
	ips := NewIPs(*cidr, &countingRandom{})
	if err := ips.Allocate(net.ParseIP("10.96.0.1")); err != nil {
		t.Fatalf("a free address was refused: %v", err)
	}
	if err := ips.Allocate(net.ParseIP("10.96.0.1")); !errors.Is(err, ipallocator.ErrAllocated) {
		t.Errorf("a taken address gave %v, want ErrAllocated", err)
	}
	var outside *ipallocator.ErrNotInRange
	for _, ip := range []string{"10.96.0.0", "10.96.0.3", "10.97.0.1", "::1"} {
		if err := ips.Allocate(net.ParseIP(ip)); !errors.As(err, &outside) {
			t.Errorf("Allocate(%s) = %v, want ErrNotInRange", ip, err)
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

func TestPorts(t *testing.T) {
	ports := NewPorts(2, &countingRandom{})
	for range 2 {
		if _, ok, _ := ports.AllocateNext(); !ok {
			t.Fatal("a free port was refused")
		}
	}
	if _, ok, _ := ports.AllocateNext(); ok || ports.Free() != 0 {
		t.Errorf("three of two ports were given out; %d are free", ports.Free())
	}
}
