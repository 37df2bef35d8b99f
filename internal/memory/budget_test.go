package memory

import (
	"strings"
	"testing"
)

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{"512Mi": 512 << 20, "2Gi": 2 << 30, "64M": 64_000_000, "16777216": 16 << 20} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "many", "0", "-1Gi", "15Mi", "1Ki"} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), "want a size of at least 16Mi") {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}

func TestMeminfoTotal(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:        8146348 kB\nMemFree:         4073174 kB\n": 8146348 << 10,
		"MemFree: 1 kB\n":     0,
		"MemTotal: much\n":    0,
		"MemTotal: -1 kB x y": 0,
	} {
		if got := meminfoTotal(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestTheDefaultIsAShareOfTheMachine(t *testing.T) {
	machine := machineMemory()
	if got := NewBudget(0).Limit(); got != max(machine/memoryShare, memoryMin) {
		t.Errorf("Pods may hold %d of the machine's %d bytes", got, machine)
	}
	if got := NewBudget(64 << 20).Limit(); got != 64<<20 {
		t.Errorf("Pods may hold %d bytes, want what was said", got)
	}
}
