package recovery

import (
	"time"

	"github.com/kubesim-dev/kubesim/kubelet-sim/cri"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// resumesMax bounds how often a program that is run again goes on; it skips the rest.
const resumesMax = 200_000

// RunToEnd lets the program of an instance that has ended run until it ends, or until the
// instance did.
func RunToEnd(process cri.Process, in *podstate.Instance) {
	if !in.Term.IsZero() {
		runUntil(process, in.Term)
		if !process.State().Exited {
			process.Signal(process.StopSignal(), in.Term)
		}
	}
	end := in.FinishedAt
	if in.Rough {
		end = end.Add(time.Second)
	}
	runUntil(process, end)
}

// runUntil lets a program run until it ends, or waits for longer.
func runUntil(process cri.Process, end time.Time) {
	for range resumesMax {
		state := process.State()
		if state.Exited || state.WakeAt.IsZero() || state.WakeAt.After(end) {
			return
		}
		process.Resume(state.WakeAt)
	}
}

// NotLocated has an instance end whose program could not be started again.
func NotLocated(c *podstate.Container, in *podstate.Instance, now time.Time) {
	in.Exited, in.FinishedAt, in.ExitCode = true, now, podstate.ExitKilled
	in.Reason, in.Message = podstate.ReasonStatusUnknown, podstate.NotLocatedMessage
	c.Activity = podstate.Idle
}
