package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// probeState is how far the readiness probe of a container's instance has come.
type probeState struct {
	// Attempt is the instance that is probed.
	Attempt int32
	// Next is when the next check begins.
	Next time.Time
	// Deadline is when the check under way has failed; zero if there is none.
	Deadline time.Time
	// Last is the latest result, Run how often in a row it came, Checks how
	// many checks there were.
	Last   bool
	Run    int32
	Checks int32
}

// newProbeState is that of an instance which has just started.
func newProbeState(probe *corev1.Probe, in *instance) probeState {
	return probeState{Attempt: in.Attempt, Next: in.StartedAt.Add(time.Duration(probe.InitialDelaySeconds) * time.Second)}
}

// judge takes the result of a check and returns whether the container is ready
// now. Source: worker.doProbe in k8s.io/kubernetes pkg/kubelet/prober v1.37.2.
func (p *probeState) judge(probe *corev1.Probe, ready, success bool) bool {
	if p.Checks > 0 && p.Last == success {
		p.Run++
	} else {
		p.Run = 1
	}
	p.Checks++
	p.Last, p.Deadline = success, time.Time{}
	p.Next = p.Next.Add(time.Duration(max(probe.PeriodSeconds, 1)) * time.Second)
	threshold := probe.FailureThreshold
	if success {
		threshold = probe.SuccessThreshold
	}
	if p.Run < threshold {
		return ready
	}
	return success
}

// probeDecision is what the prober does next.
type probeDecision int

const (
	wait probeDecision = iota
	beginCheck
	checkTimedOut
)

// decideProbe says what to do now, and when to look again. It reads nothing but
// its arguments.
//
// As long as a container has a chance to become ready, time may be moved for
// it; after that its checks are a chore.
func decideProbe(probe *corev1.Probe, p *probeState, ready bool, now time.Time) (probeDecision, engine.Wake) {
	kind := engine.Chore
	if !ready && p.Checks <= max(probe.FailureThreshold, 1) {
		kind = engine.Work
	}
	switch {
	case !p.Deadline.IsZero() && !now.Before(p.Deadline):
		return checkTimedOut, engine.Wake{}
	case !p.Deadline.IsZero():
		return wait, engine.Wake{At: p.Deadline, Kind: kind}
	case !now.Before(p.Next):
		return beginCheck, engine.Wake{}
	}
	return wait, engine.Wake{At: p.Next, Kind: kind}
}
