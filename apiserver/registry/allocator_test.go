package registry

import "testing"

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
