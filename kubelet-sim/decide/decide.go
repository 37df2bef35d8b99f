// Package decide says what a kubelet does next for a Pod.
//
// Invariant: Next reads nothing but its arguments and changes nothing, so that a plan
// can be printed, compared and tested without a cluster. The worker carries it out and calls
// again until there is nothing to do, and then when the plan's Wake says. Source: the kubelet's
// podWorkers, SyncPod and computePodActions in k8s.io/kubernetes pkg/kubelet v1.37.2.
package decide

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// SyncDelay is how long after a failure the kubelet looks at the Pod again and
// finds that it must wait. Unit: virtual time. Source: the relist period of
// the generic PLEG in k8s.io/kubernetes pkg/kubelet v1.37.2.
const SyncDelay = time.Second

// deadlineExceeded and its message. Source: k8s.io/kubernetes pkg/kubelet
// active_deadline.go v1.37.2.
const (
	deadlineExceeded        = "DeadlineExceeded"
	deadlineExceededMessage = "Pod was active on the node longer than the specified deadline"
)

// Next says what the kubelet does for a Pod now. It reads nothing but its
// arguments. Source: podWorkers.podWorkerLoop, Kubelet.SyncPod and
// kubeGenericRuntimeManager.computePodActions in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func Next(pod *corev1.Pod, s *podstate.State, now time.Time) Plan {
	switch {
	case s.Finished:
		return Plan{}
	case s.Stop != nil:
		return stopping(pod, s, now)
	}
	deadline := deadlineOf(pod, s)
	switch {
	case podstate.Leaves(pod, s) || podutil.IsPodPhaseTerminal(pod.Status.Phase):
		return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: stoppedSince(pod, now)}}}}
	case s.Evicted != "":
		return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: now, Reason: event.Evicted, Message: s.Evicted}}}}
	case !deadline.IsZero() && !now.Before(deadline):
		why := podstate.Stop{Since: now, Reason: deadlineExceeded, Message: deadlineExceededMessage}
		return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: why}}}
	}
	aside := resize(s, now).and(certificates(s, now))
	if len(aside.Do) > 0 {
		return aside
	}
	return forward(pod, s, now).and(at(deadline, engine.Progress)).and(at(s.MeasureVolumesAt, engine.Progress)).and(aside)
}

func deadlineOf(pod *corev1.Pod, s *podstate.State) time.Time {
	if pod.Spec.ActiveDeadlineSeconds == nil {
		return time.Time{}
	}
	return engine.After(s.StartTime, engine.Seconds(*pod.Spec.ActiveDeadlineSeconds))
}

// forward brings a Pod that may run forward.
func forward(pod *corev1.Pod, s *podstate.State, now time.Time) Plan {
	switch s.Sandbox {
	case podstate.NoSandbox:
		if s.Blocked {
			return Plan{}
		}
		return do(BeginSandbox, -1)
	case podstate.SandboxStarting:
		if now.Before(s.SandboxAt) {
			return at(s.SandboxAt, attempts(s.SandboxTries, sandboxTriesMax))
		}
		return do(EndSandbox, -1)
	}
	if !s.RemountAt.IsZero() && !now.Before(s.RemountAt) {
		return do(Remount, -1)
	}
	if p, busy := restartAll(pod, s, now); busy {
		return p.and(at(s.RemountAt, engine.Progress))
	}
	if p, busy := unhealthy(pod, s, now); busy {
		if len(p.Do) > 0 {
			return p
		}
		return p.and(wakes(pod, s))
	}
	p, initialized := initContainers(pod, s, now)
	if initialized {
		p = p.and(regularContainers(pod, s, now))
	}
	p = p.and(ephemeralContainers(pod, s, now))
	if len(p.Do) > 0 {
		return p
	}
	return p.and(wakes(pod, s)).and(at(s.RemountAt, engine.Progress))
}

// initContainers brings the init containers forward, one after the other. A
// sidecar counts as done once it runs.
func initContainers(pod *corev1.Pod, s *podstate.State, now time.Time) (p Plan, initialized bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.Role == podstate.Regular:
			return p, true
		case c.Role == podstate.Sidecar && (c.Activity == podstate.Running && c.Started || podstate.AnyRegularStarted(s)):
			if c.Activity != podstate.Running {
				p = p.and(oneContainer(pod, s, i, now))
			}
		case c.Activity == podstate.Running:
			return p, false
		case c.Activity == podstate.Idle && c.Exited() && !c.Again && !s.Restarts(pod, i):
			if c.Current.ExitCode != 0 {
				return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: now}}}}, false
			}
		default:
			return p.and(oneContainer(pod, s, i, now)), false
		}
	}
	return p, true
}

// regularContainers brings the regular containers forward. The kubelet starts them
// one at a time: while one is being pulled or created the later ones wait.
func regularContainers(pod *corev1.Pod, s *podstate.State, now time.Time) Plan {
	var p Plan
	ended := true
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Role != podstate.Regular {
			continue
		}
		if c.Activity == podstate.Idle && c.Exited() && !s.Restarts(pod, i) {
			continue
		}
		ended = false
		if c.Activity == podstate.Running {
			continue
		}
		p = p.and(oneContainer(pod, s, i, now))
		if len(p.Do) > 0 || c.Activity != podstate.Idle {
			return p
		}
	}
	if ended {
		return Plan{Do: []Action{{Verb: StopPod, Container: -1, Stop: podstate.Stop{Since: now}}}}
	}
	return p
}

// ephemeralContainers starts the ephemeral containers, whatever the others do.
func ephemeralContainers(pod *corev1.Pod, s *podstate.State, now time.Time) Plan {
	var p Plan
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == podstate.Ephemeral && c.Current == nil {
			p = p.and(oneContainer(pod, s, i, now))
		}
	}
	return p
}

// oneContainer brings forward one container that has to run and does not.
func oneContainer(pod *corev1.Pod, s *podstate.State, i int, now time.Time) Plan {
	c := &s.Containers[i]
	switch {
	case c.Activity != podstate.Idle && now.Before(c.At):
		return at(c.At, engine.Progress)
	case c.Activity == podstate.Pulling:
		return do(EndPull, i)
	case c.Activity == podstate.Creating:
		return do(Start, i)
	case c.Renewed(s.Spec(pod, i)):
		return do(Pull, i) // what it waits for is of the image before
	case c.Blocked:
		return Plan{}
	case c.Reason == podstate.ReasonErrImagePull || c.Reason == podstate.ReasonImagePullBackOff:
		return afterBackOff(c.Reason == podstate.ReasonImagePullBackOff, c.PullBackOff.Updated, c.PullBackOff, BackOffPull, Pull, i, now, engine.Routine)
	case c.Killed:
		return again(c, i, now)
	case c.Exited() && c.Current.Removed:
		return do(Pull, i)
	case c.Exited():
		wake := engine.Routine
		if s.JobOwned {
			wake = attempts(int(c.Current.Attempt), restartsMax)
		}
		return afterBackOff(c.Reason == podstate.ReasonCrashLoopBackOff, c.Current.FinishedAt, c.BackOff, BackOffRestart, Pull, i, now, wake)
	}
	return do(Pull, i)
}

// again starts a container that the kubelet has just ended. Its back-off
// counts from the instance before, because the kubelet has not seen yet that this
// one has exited. Source: kubeGenericRuntimeManager.doBackOff in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func again(c *podstate.Container, i int, now time.Time) Plan {
	if c.Last != nil && now.Before(c.BackOff.Until(c.Last.FinishedAt)) {
		return do(BackOffRestart, i)
	}
	return do(Pull, i)
}

// afterBackOff waits as b says, counted from since, before it does next. What
// it waits for is told, once, by tell.
func afterBackOff(told bool, since time.Time, b podstate.BackOff, tell, next Verb, i int, now time.Time, wake wakeFor) Plan {
	until := b.Until(since)
	switch {
	case until.IsZero() || !now.Before(until):
		return do(next, i)
	case told:
		return at(until, wake)
	case now.Before(since.Add(SyncDelay)):
		return at(since.Add(SyncDelay), engine.Progress)
	}
	return do(tell, i)
}

// wakes is when the running programs go on.
func wakes(pod *corev1.Pod, s *podstate.State) Plan {
	var p Plan
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Activity != podstate.Running {
			continue
		}
		p = p.and(at(c.WakeAt, wakeOf(pod, s, i)))
	}
	return p
}

// busyWakesMax is how often in a row auto mode advances the clock for a program that never
// waits. Some five million steps take the host up to half a minute; what computes for
// longer most likely never ends.
const busyWakesMax = 500

// wakeOf says whether time may be moved for a running container: not for one
// that would only be started again when it ends.
func wakeOf(pod *corev1.Pod, s *podstate.State, i int) wakeFor {
	c := &s.Containers[i]
	switch {
	case s.Stop != nil || c.Kill != nil:
		return engine.Progress
	case c.Busy >= busyWakesMax:
		return engine.Routine
	case c.Role == podstate.Initializer || c.Role == podstate.Ephemeral || c.PostStart != nil:
		return engine.Progress
	}
	if podutil.ContainerShouldRestart(*s.Spec(pod, i), pod.Spec, 0) {
		return engine.Routine
	}
	return engine.Progress
}
