package addresses

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// TestPoolWraps gives out every address and no more, whatever the order in which
// they come free.
func TestPoolWraps(t *testing.T) {
	pool := NewPool(netip.MustParsePrefix("10.244.1.0/24"))
	live := map[Holder]netip.Addr{}
	has := func(h Holder, addr netip.Addr) bool { return live[h] == addr }
	next := uint32(1)
	for n := range 5000 {
		h := Holder{UID: types.UID(fmt.Sprint(n))}
		addr, ok := pool.Take(h, has)
		if free := len(live) < 253; ok != free {
			t.Fatalf("take %d: got %v with %d of 253 addresses in use", n, ok, len(live))
		}
		if ok {
			for other, theirs := range live {
				if theirs == addr {
					t.Fatalf("take %d: %s belongs to %s", n, addr, other.UID)
				}
			}
			live[h] = addr
		}
		if next = next*1664525 + 1013904223; next>>30 == 0 || !ok { // of four, one ends
			ends := slices.MinFunc(slices.Collect(maps.Keys(live)), func(a, b Holder) int { return strings.Compare(string(a.UID), string(b.UID)) })
			delete(live, ends)
		}
	}
}
