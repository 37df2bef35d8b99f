package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// A container whose exit code matches a rule with the action RestartAllContainers
// takes all of its Pod's containers with it: those that run are ended, all are
// forgotten, and the Pod begins again with its init containers, in the same sandbox
// and with the same volumes, without a back-off. KEP-5532; feature gate
// RestartAllContainersOnContainerExits.

// restartAll is why a container ends that another one takes with it.
const restartAll killReason = "RestartAllContainers"

// Reasons and messages of a Pod whose containers all start again. Source:
// k8s.io/kubernetes pkg/kubelet and pkg/kubelet/status v1.37.2.
const (
	restartingAllContainers = "RestartingAllContainers"
	removedMessage          = "The container is removed because RestartAllContainers in place"
	restartAllStarted       = "RestartAllContainersStarted"
	restartAllMessage       = "container exited with restart policy rule"
)

// takesAll reports whether container i has ended in such a way that all containers of
// the Pod start again.
func takesAll(pod *corev1.Pod, s *podState, i int) bool {
	c := &s.Containers[i]
	if c.Role == ephemeral || c.Killed || !c.exited() || c.Current.Removed {
		return false
	}
	rule, ok := podutil.FindMatchingContainerRestartRule(*s.spec(pod, i), c.Current.ExitCode)
	return ok && rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
}

// restartsAll reports whether all containers of the Pod have to start again, and which
// one was the first to want that. Source: ShouldAllContainersRestart in
// k8s.io/kubernetes pkg/kubelet/container v1.37.2.
func restartsAll(pod *corev1.Pod, s *podState) (source int, ok bool) {
	source = -1
	for i := range s.Containers {
		if takesAll(pod, s, i) && (source < 0 || s.Containers[i].Current.FinishedAt.Before(s.Containers[source].Current.FinishedAt)) {
			source = i
		}
	}
	return source, source >= 0
}

// decideRestartAll ends the containers of a Pod that have to start again, one after
// the other, the regular ones first, and then has them all forgotten. The kubelet finds
// out that it has to when it next looks at its containers. Source:
// kubeGenericRuntimeManager.computePodActions and SyncPod, ibid. kuberuntime.
func decideRestartAll(pod *corev1.Pod, s *podState, now time.Time) (p plan, busy bool) {
	source, busy := restartsAll(pod, s)
	if !busy {
		return plan{}, false
	}
	if seen := s.Containers[source].Current.FinishedAt.Add(syncDelay); now.Before(seen) {
		return at(seen, engine.Work).and(decideWakes(pod, s)), true
	}
	for _, regulars := range [...]bool{true, false} {
		for i := range s.Containers {
			c := &s.Containers[i]
			if c.Role == ephemeral || (c.Role == regular) != regulars || c.Stage != running {
				continue
			}
			if c.Kill == nil {
				return plan{Do: []action{{Verb: beginKill, Container: i, Why: restartAll}}}, true
			}
			return decideKill(s, i, true, now).and(decideWakes(pod, s)), true
		}
	}
	return do(removeAll, -1), true
}

// removeAll forgets what the Pod's containers have done, but how often they were
// started.
func (r *Reconciler) removeAll(run *podRun) {
	for i := range run.Containers {
		c := &run.Containers[i]
		if c.Role == ephemeral {
			continue
		}
		c.Stage, c.Reason, c.Message, c.Blocked, c.Killed, c.PostStart = idle, "", "", false, false, nil
		if c.Current == nil {
			continue
		}
		for _, in := range []*instance{c.Last, c.Current} {
			if in != nil {
				r.cfg.Logs.DropLog(run.name.Namespace, run.name.Name, in.ID)
			}
		}
		c.Reason, c.Message = restartingAllContainers, removedMessage
		c.Last, c.Current = nil, removedInstance(c.Current.Attempt)
	}
	run.dirty = true
}

// removedInstance stands for the instances of a container that the kubelet has
// removed. attempt is the last one's.
func removedInstance(attempt int32) *instance {
	return &instance{
		Attempt: attempt, Exited: true, Removed: true, ExitCode: exitKilled, Reason: restartingAllContainers, Message: removedMessage,
	}
}

// restartingCondition is there for Pods that may start all containers again. Source:
// GenerateAllContainersRestartingCondition in k8s.io/kubernetes pkg/kubelet/status
// v1.37.2.
func restartingCondition(pod *corev1.Pod, s *podState, p corev1.PodPhase) (corev1.PodCondition, bool) {
	if !podutil.AllContainersCouldRestart(&pod.Spec) {
		return corev1.PodCondition{}, false
	}
	c := corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionFalse}
	switch p {
	case corev1.PodSucceeded:
		c.Reason = podCompleted
		return c, true
	case corev1.PodFailed:
		c.Reason = podFailed
		return c, true
	}
	if _, restarts := restartsAll(pod, s); restarts {
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, restartAllStarted, restartAllMessage
	}
	return c, true
}
