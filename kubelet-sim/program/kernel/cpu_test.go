package kernel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is work that is wanted at an instant after noon.
type asked struct{ at, work time.Duration }

func TestBandwidth(t *testing.T) {
	const ms = time.Millisecond
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	burst := func(n int, at, work time.Duration) (out []asked) {
		for range n {
			out = append(out, asked{at, work})
		}
		return out
	}
	for name, tc := range map[string]struct {
		limit int64
		asked []asked
		want  []time.Duration // throttled
	}{
		"nobody waits without a limit":                      {0, burst(3, 0, time.Second), []time.Duration{0, 0, 0}},
		"nobody waits within the quota of a period":         {500, burst(2, 10*ms, 25*ms), []time.Duration{0, 0}},
		"more than the quota waits for the next period":     {500, burst(3, 10*ms, 25*ms), []time.Duration{0, 0, 90 * ms}},
		"what is asked for later waits for what was before": {500, append(burst(3, 10*ms, 30*ms), asked{50 * ms, 10 * ms}), []time.Duration{0, 70 * ms, 90 * ms, 50 * ms}},
		"a new period has its quota again":                  {500, append(burst(2, 0, 25*ms), asked{100 * ms, 25 * ms}), []time.Duration{0, 0, 0}},
		"long work takes several periods":                   {100, burst(1, 0, 35*ms), []time.Duration{270 * ms}},
		"the quota is a millisecond at least":               {1, burst(2, 0, ms), []time.Duration{0, 100 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bandwidth{limit: tc.limit}
			var got []time.Duration
			for _, a := range tc.asked {
				got = append(got, b.take(noon.Add(a.at), a.work))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("throttled (-want +got):\n%s", diff)
			}
		})
	}
}
