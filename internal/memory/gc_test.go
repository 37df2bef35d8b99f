package memory

import "testing"

func TestALargeHeapHasLittleGarbage(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 128 << 20: 400, 256 << 20: 200, 512 << 20: 100, 1 << 30: 50, 4 << 30: 50} {
		if got := percentFor(live); got != want {
			t.Errorf("beside %d MB: %d%%, want %d%%", live>>20, got, want)
		}
	}
}
