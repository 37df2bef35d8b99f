// Package prober says when a container's startup, readiness and liveness probes are
// made, and what their results mean.
//
// Invariant: it has no effect, and reads nothing but its arguments. The caller makes the
// checks, and keeps the State. Source: k8s.io/kubernetes pkg/kubelet/prober v1.37.2.
package prober

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// Type is what a probe is for, in the words of its Events. Source:
// probeType in k8s.io/kubernetes pkg/kubelet/prober v1.37.2.
type Type string

// The types of probes.
const (
	Startup   Type = "Startup"
	Readiness Type = "Readiness"
	Liveness  Type = "Liveness"
)

// Of returns the probe of a type that a container has, nil if it has none.
func Of(c *corev1.Container, t Type) *corev1.Probe {
	switch t {
	case Startup:
		return c.StartupProbe
	case Readiness:
		return c.ReadinessProbe
	}
	return c.LivenessProbe
}

// State is how far one probe of a container's instance has come.
type State struct {
	Type Type
	// Next is when the next check begins.
	Next time.Time
	// Deadline is when the check under way has failed; zero if there is none.
	Deadline time.Time
	// Last is the latest result, Run how often in a row it came, Checks how
	// many checks there were.
	Last   bool
	Run    int32
	Checks int32
	// Over: there are no more checks of this instance.
	Over bool
}

// New returns the probes of an instance that has just started.
func New(spec *corev1.Container, startedAt, podStart time.Time) []State {
	var all []State
	for _, t := range [...]Type{Startup, Readiness, Liveness} {
		if probe := Of(spec, t); probe != nil {
			from := podStart
			if t == Readiness {
				from = startedAt // the kubelet asks at once
			}
			all = append(all, State{Type: t, Next: FirstCheck(probe, startedAt, from)})
		}
	}
	return all
}

// FirstCheck is the first tick from an instant at which the initial delay is
// over. Source: worker.run and worker.doProbe in
// k8s.io/kubernetes pkg/kubelet/prober v1.37.2; the worker's ticks begin
// with the Pod, not with the container.
func FirstCheck(probe *corev1.Probe, startedAt, from time.Time) time.Time {
	earliest := engine.After(startedAt.Truncate(time.Second), engine.Seconds(int64(probe.InitialDelaySeconds)))
	if earliest.Before(startedAt) {
		earliest = startedAt
	}
	return NextTick(probe, from, earliest)
}

// NextTick is the first tick from an instant that is not before another.
func NextTick(probe *corev1.Probe, from, earliest time.Time) time.Time {
	period := time.Duration(max(probe.PeriodSeconds, 1)) * time.Second
	if behind := earliest.Sub(from); behind > 0 {
		from = from.Add((behind + period - 1) / period * period)
	}
	return from
}

// Judge counts the result of a check. decided says that it came so often in a
// row that it holds from now on. Source: worker.doProbe in
// k8s.io/kubernetes pkg/kubelet/prober v1.37.2.
func (p *State) Judge(probe *corev1.Probe, success bool) (decided bool) {
	if p.Checks > 0 && p.Last == success {
		p.Run++
	} else {
		p.Run = 1
	}
	p.Last = success
	p.Checked(probe)
	threshold := probe.FailureThreshold
	if success {
		threshold = probe.SuccessThreshold
	}
	return p.Run >= threshold
}

// Checked ends a check.
func (p *State) Checked(probe *corev1.Probe) {
	p.Checks++
	p.Deadline = time.Time{}
	p.Next = engine.After(p.Next, engine.Seconds(int64(max(probe.PeriodSeconds, 1))))
}

// readyWithin is how long after its first check a container may become ready for mode
// auto to advance the clock for it: a probe that fails every 1000 s is no work under way.
const readyWithin = 5 * time.Minute

// soon reports whether the clock advances for the next check of a readiness probe: if it is
// the first; if it is one of the first few, and they do not take long; or if it follows a
// success and more of them are needed.
func (p *State) soon(probe *corev1.Probe) bool {
	since := engine.Seconds(int64(p.Checks) * int64(max(probe.PeriodSeconds, 1)))
	return p.Last || p.Checks <= max(probe.FailureThreshold, 1) && since <= readyWithin
}

// Decision is what the prober does next.
type Decision int

// The decisions: wait, begin a check, give one up.
const (
	wait Decision = iota
	BeginCheck
	CheckTimedOut
)

// checksMax is for how many checks auto mode advances the clock, however many may fail.
const checksMax = 500

// Container is what decides about the probes of a container beside their own state.
type Container struct {
	Started, Ready bool
	// Attempt is the number of its instance.
	Attempt int32
}

// Decide says what to do now for a probe of c, and when to look again. It
// reads nothing but its arguments.
//
// As long as a container starts, or has a chance to become ready soon, time may be
// moved for it.
func Decide(probe *corev1.Probe, c Container, p *State, now time.Time) (Decision, engine.Wake) {
	if p.Over || p.Type != Startup && !c.Started {
		return wait, engine.Wake{}
	}
	wake := engine.Routine
	switch {
	case p.Type == Readiness && !c.Ready && (p.Last || p.Checks <= checksMax) && p.soon(probe),
		p.Type == Startup && c.Attempt == 0 && p.Checks <= checksMax:
		wake = engine.Progress
	}
	switch {
	case !p.Deadline.IsZero() && !now.Before(p.Deadline):
		return CheckTimedOut, engine.Wake{}
	case !p.Deadline.IsZero():
		return wait, wake(p.Deadline)
	case !now.Before(p.Next):
		return BeginCheck, engine.Wake{}
	}
	return wait, wake(p.Next)
}

// TimeoutOf is how long a check may take.
func TimeoutOf(probe *corev1.Probe) time.Duration {
	return time.Duration(max(probe.TimeoutSeconds, 1)) * time.Second
}
