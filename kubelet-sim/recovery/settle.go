package recovery

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Programs is what runs of a Pod after its Steps were taken once more.
type Programs interface {
	// Runs reports whether the program of container i does.
	Runs(i int) bool
	// Checks reports whether check j of container i is under way.
	Checks(i, j int) bool
}

// Settle puts the State of a note, in s, in place of the one that the replay has been over,
// and the programs that run again into it. It reports whether one of them was lost: then the
// Pod's status has changed.
func Settle(s *podstate.State, replayed []podstate.Container, programs Programs) (lost bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case programs.Runs(i):
			c.WakeAt = replayed[i].WakeAt
		case c.Activity == podstate.Running: // it could not be started again
			*c, lost = replayed[i], true
		}
		for j := range c.Probes { // a check that could not be begun again begins later
			if !programs.Runs(i) || !programs.Checks(i, j) {
				c.Probes[j].Deadline = time.Time{}
			}
		}
	}
	return lost
}
