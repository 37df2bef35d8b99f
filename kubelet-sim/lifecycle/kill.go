package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
)

// killReason says why a container has to end, as far as its grace period
// depends on it; empty for every other reason. Source: containerKillReason in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
type killReason string

const (
	startupFailed  killReason = "StartupProbe"
	livenessFailed killReason = "LivenessProbe"
)

// killing is how far the end of an instance has come that the kubelet wants: its
// preStop hook runs, it is a sidecar that waits for its turn, it has been sent
// SIGTERM.
type killing struct {
	Reason killReason `json:",omitempty"`
	// Since is when it began. Grace is what the container has from then on for
	// its hook, the wait for its turn and its own end; graceLeast comes on top if
	// the others use it up.
	Since time.Time
	Grace time.Duration
	// Begun is when the kubelet has begun with it, which is later where it was off the
	// network.
	Begun time.Time
	// PreStop is the hook under way, or one that has not ended in time.
	PreStop *hook `json:",omitempty"`
	// Term is when SIGTERM was sent, zero before; Deadline is when SIGKILL
	// follows.
	Term, Deadline time.Time
}

// graceLeast is the least time that a container gets to end. Unit: virtual time.
// Source: minimumGracePeriodInSeconds in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
const graceLeast = 2 * time.Second

// grace is how long a container gets to end. Source: setTerminationGracePeriod,
// ibid.
func grace(pod *corev1.Pod, c *corev1.Container, why killReason) time.Duration {
	seconds := pod.Spec.TerminationGracePeriodSeconds
	switch {
	case why == restartAll:
		return 0
	case pod.DeletionGracePeriodSeconds != nil:
		seconds = pod.DeletionGracePeriodSeconds
	case seconds == nil:
		return graceLeast
	case why == startupFailed && c.StartupProbe.TerminationGracePeriodSeconds != nil:
		seconds = c.StartupProbe.TerminationGracePeriodSeconds
	case why == livenessFailed && c.LivenessProbe.TerminationGracePeriodSeconds != nil:
		seconds = c.LivenessProbe.TerminationGracePeriodSeconds
	}
	return engine.Seconds(*seconds)
}

// decideKill goes on with the end of container i. turn says that nothing has to
// end before it. Source: kubeGenericRuntimeManager.killContainer, ibid.
func decideKill(s *podState, i int, turn bool, now time.Time) plan {
	c := &s.Containers[i]
	k, until := c.Kill, engine.After(c.Kill.Since, c.Kill.Grace)
	goesOn := at(c.WakeAt, engine.Work)
	switch {
	case !k.Term.IsZero() && now.Before(k.Deadline):
		return goesOn.and(at(k.Deadline, engine.Work))
	case !k.Term.IsZero():
		return do(kill, i)
	case k.PreStop != nil && k.PreStop.done(now):
		return do(endPreStop, i)
	case (k.PreStop != nil || !turn) && now.Before(until):
		if k.PreStop != nil {
			goesOn = goesOn.and(at(k.PreStop.Until, engine.Work))
		}
		return goesOn.and(at(until, engine.Work))
	}
	return do(terminate, i)
}

// left is what remains of the grace period for the container's own end: hook and
// wait are counted in whole seconds.
func (k *killing) left(now time.Time) time.Duration {
	return max(k.Grace-now.Sub(k.Since).Truncate(time.Second), graceLeast)
}

// decideUnhealthy ends the containers whose startup or liveness probe has
// failed, whose image is another now, or which must restart for a resize, and goes on with those that are being ended or whose postStart hook
// runs. While there is one the kubelet does nothing else for the Pod. Source:
// kubeGenericRuntimeManager.SyncPod, ibid., which waits for both.
func decideUnhealthy(pod *corev1.Pod, s *podState, now time.Time) (p plan, busy bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.PostStart != nil && c.PostStart.done(now) && c.Kill == nil:
			p, busy = p.and(do(endPostStart, i)), true
		case c.Kill != nil:
			p, busy = p.and(decideKill(s, i, true, now)), true
		case c.PostStart != nil:
			p, busy = p.and(at(c.WakeAt, engine.Work)).and(at(c.PostStart.Until, engine.Work)), true
		}
	}
	if busy {
		return p, true
	}
	for i := range s.Containers {
		if why := s.unfit(pod, i); why != "" {
			if last(pod, s) {
				return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: now}}}}, true
			}
			p, busy = p.and(plan{Do: []action{{Verb: beginKill, Container: i, Why: why}}}), true
		}
	}
	return p, busy
}

// unfit says why a running container cannot go on as it is; empty if it can.
func (s *podState) unfit(pod *corev1.Pod, i int) killReason {
	c := &s.Containers[i]
	switch {
	case c.Stage != running:
		return ""
	case s.changed(pod, i):
		return definitionChanged
	}
	return c.Unhealthy
}

// last reports whether no regular container stays or starts again, so that the
// unhealthy ones end with the Pod.
func last(pod *corev1.Pod, s *podState) bool {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.Role != regular:
		case c.Stage == running && (c.Unhealthy == "" || s.restartsKilled(pod, i, s.unfit(pod, i))):
			return false
		case c.Stage != running && (!c.exited() || s.restarts(pod, i)):
			return false
		}
	}
	return true
}

// restartsKilled reports whether container i may run again after the kubelet has
// ended it. Source: computePodActions, ibid.; rules for exit codes do not count.
func (s *podState) restartsKilled(pod *corev1.Pod, i int, why killReason) bool {
	c := s.spec(pod, i)
	if s.Containers[i].Role == sidecar || why == definitionChanged {
		return true
	}
	if c.RestartPolicy != nil {
		return *c.RestartPolicy != corev1.ContainerRestartPolicyNever
	}
	return pod.Spec.RestartPolicy != corev1.RestartPolicyNever
}

// killMessage is the Killing Event of a container that cannot go on as it is. Source: ibid. and
// computeInitContainerActions.
func killMessage(pod *corev1.Pod, s *podState, i int, why killReason) string {
	what, name := "failed liveness probe", s.Containers[i].Name
	switch why {
	case restartAll:
		return event.RestartAllMessage
	case resizeRestart:
		return event.ResizeMessage(name)
	case startupFailed:
		what = "failed startup probe"
	case definitionChanged:
		what = "definition changed"
	}
	return event.UnfitMessage(name, what, s.Containers[i].Role == sidecar, s.restartsKilled(pod, i, why))
}
