package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// graceLeast is the least time that a container gets to end. Unit: virtual time.
// Source: minimumGracePeriodInSeconds in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
const graceLeast = 2 * time.Second

// grace is how long the Pod's containers get to end. Source:
// setTerminationGracePeriod, ibid.
func grace(pod *corev1.Pod) time.Duration {
	seconds := pod.Spec.TerminationGracePeriodSeconds
	if pod.DeletionGracePeriodSeconds != nil {
		seconds = pod.DeletionGracePeriodSeconds
	}
	if seconds == nil {
		return graceLeast
	}
	return max(time.Duration(*seconds)*time.Second, graceLeast)
}

// stoppedSince is when the Pod's grace period began: now, unless the server was
// away since.
func stoppedSince(pod *corev1.Pod, now time.Time) time.Time {
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return now
	}
	began := pod.DeletionTimestamp.Add(-time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second)
	if now.Sub(began) > time.Second {
		return began
	}
	return now
}

// decideStop ends the containers: first the regular ones, then the sidecars in
// reverse order, all within one grace period.
func decideStop(pod *corev1.Pod, s *podState, now time.Time) plan {
	targets := stopTargets(s)
	if len(targets) == 0 {
		return do(finish, -1)
	}
	deadline := s.Stop.Since.Add(grace(pod))
	var p plan
	for _, i := range targets {
		c := &s.Containers[i]
		switch {
		case !c.Terminating:
			p.Do = append(p.Do, action{Verb: terminate, Container: i})
		case !now.Before(deadline):
			p.Do = append(p.Do, action{Verb: kill, Container: i})
		default:
			p = p.and(at(c.WakeAt, engine.Work)).and(at(deadline, engine.Work))
		}
	}
	return p
}

// stopTargets are the running containers whose turn to end it is.
func stopTargets(s *podState) []int {
	var targets []int
	last := -1
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Stage != running {
			continue
		}
		if c.Role == sidecar {
			last = i
			continue
		}
		targets = append(targets, i)
	}
	if len(targets) == 0 && last >= 0 {
		targets = []int{last}
	}
	return targets
}
