package lifecycle

import (
	"testing"
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

func TestNextResync(t *testing.T) {
	s := &podstate.State{StartTime: noon}
	period := nextResync(s, 0, noon).Sub(noon)
	if period < resyncLow || period > resyncHigh {
		t.Errorf("the first tick is after %v", period)
	}
	for name, tc := range map[string]struct{ after, want time.Duration }{
		"between two ticks": {period / 2, period},
		"at a tick":         {period, 2 * period},
		"later":             {5*period + 1, 6 * period},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nextResync(s, 0, noon.Add(tc.after)).Sub(noon); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
