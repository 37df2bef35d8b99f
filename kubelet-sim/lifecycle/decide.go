package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/event"
)

// syncDelay is how long after a failure the kubelet looks at the Pod again and
// finds that it must wait. Unit: virtual time. Source: the relist period of
// the generic PLEG in k8s.io/kubernetes pkg/kubelet v1.37.2.
const syncDelay = time.Second

// deadlineExceeded and its message. Source: k8s.io/kubernetes pkg/kubelet
// active_deadline.go v1.37.2.
const (
	deadlineExceeded        = "DeadlineExceeded"
	deadlineExceededMessage = "Pod was active on the node longer than the specified deadline"
)

// decide says what the kubelet does for a Pod now. It reads nothing but its
// arguments. Source: podWorkers.podWorkerLoop, Kubelet.SyncPod and
// kubeGenericRuntimeManager.computePodActions in k8s.io/kubernetes pkg/kubelet
// v1.37.2.
func decide(pod *corev1.Pod, s *podState, now time.Time) plan {
	switch {
	case s.Finished:
		return plan{}
	case s.Stop != nil:
		return decideStop(pod, s, now)
	}
	deadline := deadlineOf(pod, s)
	switch {
	case leaves(pod, s) || podutil.IsPodPhaseTerminal(pod.Status.Phase):
		return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: stoppedSince(pod, now)}}}}
	case s.Evicted != "":
		return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: now, Reason: event.Evicted, Message: s.Evicted}}}}
	case !deadline.IsZero() && !now.Before(deadline):
		why := stop{Since: now, Reason: deadlineExceeded, Message: deadlineExceededMessage}
		return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: why}}}
	}
	aside := decideResize(s, now).and(decideCertificates(s, now))
	if len(aside.Do) > 0 {
		return aside
	}
	return decideRun(pod, s, now).and(at(deadline, engine.Work)).and(at(s.MeasureVolumesAt, engine.Work)).and(aside)
}

func deadlineOf(pod *corev1.Pod, s *podState) time.Time {
	if pod.Spec.ActiveDeadlineSeconds == nil {
		return time.Time{}
	}
	return engine.After(s.StartTime, engine.Seconds(*pod.Spec.ActiveDeadlineSeconds))
}

// Mode auto moves time for so many tries to have a network or a certificate, and for so many restarts
// of a Job's container: one whose Job has a limit that is higher starts again as time
// goes on.
const (
	sandboxTriesMax = 10
	restartsMax     = 100
)

// workFor is the kind of a wait that does the same again, after so many tries.
func workFor(tries, most int) engine.Kind {
	if tries >= most {
		return engine.Recurring
	}
	return engine.Work
}

// decideRun brings a Pod that may run forward.
func decideRun(pod *corev1.Pod, s *podState, now time.Time) plan {
	switch s.Sandbox {
	case noSandbox:
		if s.Blocked {
			return plan{}
		}
		return do(beginSandbox, -1)
	case sandboxStarting:
		if now.Before(s.SandboxAt) {
			return at(s.SandboxAt, workFor(s.SandboxTries, sandboxTriesMax))
		}
		return do(endSandbox, -1)
	}
	if !s.RemountAt.IsZero() && !now.Before(s.RemountAt) {
		return do(remount, -1)
	}
	if p, busy := decideRestartAll(pod, s, now); busy {
		return p.and(at(s.RemountAt, engine.Work))
	}
	if p, busy := decideUnhealthy(pod, s, now); busy {
		if len(p.Do) > 0 {
			return p
		}
		return p.and(decideWakes(pod, s))
	}
	p, initialized := decideInit(pod, s, now)
	if initialized {
		p = p.and(decideRegular(pod, s, now))
	}
	p = p.and(decideEphemeral(pod, s, now))
	if len(p.Do) > 0 {
		return p
	}
	return p.and(decideWakes(pod, s)).and(at(s.RemountAt, engine.Work))
}

// decideInit brings the init containers forward, one after the other. A
// sidecar counts as done once it runs.
func decideInit(pod *corev1.Pod, s *podState, now time.Time) (p plan, initialized bool) {
	for i := range s.Containers {
		c := &s.Containers[i]
		switch {
		case c.Role == regular:
			return p, true
		case c.Role == sidecar && (c.Stage == running && c.Started || anyRegularStarted(s)):
			if c.Stage != running {
				p = p.and(decideContainer(pod, s, i, now))
			}
		case c.Stage == running:
			return p, false
		case c.Stage == idle && c.exited() && !c.Again && !s.restarts(pod, i):
			if c.Current.ExitCode != 0 {
				return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: now}}}}, false
			}
		default:
			return p.and(decideContainer(pod, s, i, now)), false
		}
	}
	return p, true
}

func anyRegularStarted(s *podState) bool {
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == regular && c.Current != nil && !c.Current.Removed {
			return true
		}
	}
	return false
}

// decideRegular brings the regular containers forward. The kubelet starts them
// one at a time: while one is being pulled or created the later ones wait.
func decideRegular(pod *corev1.Pod, s *podState, now time.Time) plan {
	var p plan
	ended := true
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Role != regular {
			continue
		}
		if c.Stage == idle && c.exited() && !s.restarts(pod, i) {
			continue
		}
		ended = false
		if c.Stage == running {
			continue
		}
		p = p.and(decideContainer(pod, s, i, now))
		if len(p.Do) > 0 || c.Stage != idle {
			return p
		}
	}
	if ended {
		return plan{Do: []action{{Verb: stopPod, Container: -1, Stop: stop{Since: now}}}}
	}
	return p
}

// decideEphemeral starts the ephemeral containers, whatever the others do.
func decideEphemeral(pod *corev1.Pod, s *podState, now time.Time) plan {
	var p plan
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == ephemeral && c.Current == nil {
			p = p.and(decideContainer(pod, s, i, now))
		}
	}
	return p
}

// decideContainer brings forward one container that has to run and does not.
func decideContainer(pod *corev1.Pod, s *podState, i int, now time.Time) plan {
	c := &s.Containers[i]
	switch {
	case c.Stage != idle && now.Before(c.At):
		return at(c.At, engine.Work)
	case c.Stage == pulling:
		return do(endPull, i)
	case c.Stage == creating:
		return do(start, i)
	case c.renewed(s.spec(pod, i)):
		return do(pull, i) // what it waits for is of the image before
	case c.Blocked:
		return plan{}
	case c.Reason == errImagePull || c.Reason == imagePullBackOff:
		return decideBackOff(c.Reason == imagePullBackOff, c.PullBackOff.Updated, c.PullBackOff, backOffPull, pull, i, now, engine.Recurring)
	case c.Killed:
		return decideAgain(c, i, now)
	case c.exited() && c.Current.Removed:
		return do(pull, i)
	case c.exited():
		kind := engine.Recurring
		if s.JobOwned {
			kind = workFor(int(c.Current.Attempt), restartsMax)
		}
		return decideBackOff(c.Reason == crashLoopBackOff, c.Current.FinishedAt, c.BackOff, backOffRestart, pull, i, now, kind)
	}
	return do(pull, i)
}

// decideAgain starts a container that the kubelet has just ended. Its back-off
// counts from the instance before, because the kubelet has not seen yet that this
// one has exited. Source: kubeGenericRuntimeManager.doBackOff in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func decideAgain(c *containerState, i int, now time.Time) plan {
	if c.Last != nil && now.Before(c.BackOff.until(c.Last.FinishedAt)) {
		return do(backOffRestart, i)
	}
	return do(pull, i)
}

// decideBackOff waits as b says, counted from since, before it does next. What
// it waits for is told, once, by tell.
func decideBackOff(told bool, since time.Time, b backOff, tell, next verb, i int, now time.Time, kind engine.Kind) plan {
	until := b.until(since)
	switch {
	case until.IsZero() || !now.Before(until):
		return do(next, i)
	case told:
		return at(until, kind)
	case now.Before(since.Add(syncDelay)):
		return at(since.Add(syncDelay), engine.Work)
	}
	return do(tell, i)
}

// decideWakes is when the running programs go on.
func decideWakes(pod *corev1.Pod, s *podState) plan {
	var p plan
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Stage != running {
			continue
		}
		p = p.and(at(c.WakeAt, wakeKind(pod, s, i)))
	}
	return p
}

// busyTurnsMax is how often in a row mode auto moves time for a program that never
// waits. Some five million steps take the host up to half a minute; what computes for
// longer most likely never ends.
const busyTurnsMax = 500

// wakeKind says whether time may be moved for a running container: not for one
// that would only be started again when it ends.
func wakeKind(pod *corev1.Pod, s *podState, i int) engine.Kind {
	c := &s.Containers[i]
	switch {
	case s.Stop != nil || c.Kill != nil:
		return engine.Work
	case c.Busy >= busyTurnsMax:
		return engine.Recurring
	case c.Role == initializer || c.Role == ephemeral || c.PostStart != nil:
		return engine.Work
	}
	if podutil.ContainerShouldRestart(*s.spec(pod, i), pod.Spec, 0) {
		return engine.Recurring
	}
	return engine.Work
}
