package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/program"
)

// toiling asks for more than the host can do: each second it has much to do.
type toiling struct {
	fakeProcess
	resumes int
}

func (p *toiling) Resume(now time.Time) {
	p.resumes++
	p.state = program.State{Work: lateWorkMax, WakeAt: now.Add(time.Second)}
}

// TestWorkThatIsLateIsSkipped has a Pod come to its step an hour late, which happens
// in realtime only. A restart, which makes up for all that happened, skips nothing.
func TestWorkThatIsLateIsSkipped(t *testing.T) {
	for name, tc := range map[string]struct {
		replaying bool
		most      int
	}{
		"live":   {false, 3},
		"replay": {true, 3601},
	} {
		t.Run(name, func(t *testing.T) {
			p := &toiling{}
			run := &podRun{pod: &corev1.Pod{}, parts: []part{{process: p}}, replaying: tc.replaying}
			run.Containers = []podstate.Container{{WakeAt: noon}}
			run.advance(noon.Add(time.Hour))
			if p.resumes > tc.most || tc.replaying && p.resumes < tc.most {
				t.Errorf("it went on %d times, want %d", p.resumes, tc.most)
			}
			if at := run.Containers[0].WakeAt; !at.After(noon.Add(time.Hour)) {
				t.Errorf("it is still late: it goes on at %v", at)
			}
		})
	}
}
