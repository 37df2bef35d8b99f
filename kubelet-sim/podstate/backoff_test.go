package podstate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

func TestBackOffDoubles(t *testing.T) {
	var b BackOff
	var got []time.Duration
	for range 7 {
		b = b.Next(noon, noon)
		got = append(got, b.Delay/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{10, 20, 40, 80, 160, 300, 300}, got); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
}
