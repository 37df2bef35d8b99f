package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// KillReason says why a container has to end, where its grace period depends
// on it; empty for every other reason. Source: containerKillReason in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
type KillReason string

// The reasons that are probes' own.
const (
	StartupFailed  KillReason = "StartupProbe"
	LivenessFailed KillReason = "LivenessProbe"
)

// Killing is how far the end of an instance has come that the kubelet wants: its
// preStop hook runs, it is a sidecar that waits for its turn, it has been sent
// SIGTERM.
type Killing struct {
	Reason KillReason `json:",omitempty"`
	// Since is when it began. Grace is what the container has from then on for
	// its hook, the wait for its turn and its own end; graceLeast comes on top if
	// the others use it up.
	Since time.Time
	Grace time.Duration
	// Begun is when the kubelet has begun with it, which is later where it was off the
	// network.
	Begun time.Time
	// PreStop is the hook under way, or one that has not ended in time.
	PreStop *Hook `json:",omitempty"`
	// Term is when SIGTERM was sent, zero before; Deadline is when SIGKILL
	// follows.
	Term, Deadline time.Time
}

// graceLeast is the least time that a container gets to end. Unit: virtual time.
// Source: minimumGracePeriodInSeconds in k8s.io/kubernetes
// pkg/kubelet/kuberuntime v1.37.2.
const graceLeast = 2 * time.Second

// Grace is how long a container gets to end. Source: setTerminationGracePeriod,
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2.
func Grace(pod *corev1.Pod, c *corev1.Container, why KillReason) time.Duration {
	seconds := pod.Spec.TerminationGracePeriodSeconds
	switch {
	case why == RestartAll:
		return 0
	case pod.DeletionGracePeriodSeconds != nil:
		seconds = pod.DeletionGracePeriodSeconds
	case seconds == nil:
		return graceLeast
	case why == StartupFailed && c.StartupProbe.TerminationGracePeriodSeconds != nil:
		seconds = c.StartupProbe.TerminationGracePeriodSeconds
	case why == LivenessFailed && c.LivenessProbe.TerminationGracePeriodSeconds != nil:
		seconds = c.LivenessProbe.TerminationGracePeriodSeconds
	}
	return engine.Seconds(*seconds)
}

// Left is what remains of the grace period for the container's own end: hook and
// wait are counted in whole seconds.
func (k *Killing) Left(now time.Time) time.Duration {
	return max(k.Grace-now.Sub(k.Since).Truncate(time.Second), graceLeast)
}

// RestartsKilled reports whether container i may run again after the kubelet has
// ended it. Source: computePodActions in
// k8s.io/kubernetes pkg/kubelet/kuberuntime v1.37.2; rules for exit codes do not count.
func (s *State) RestartsKilled(pod *corev1.Pod, i int, why KillReason) bool {
	c := s.Spec(pod, i)
	if s.Containers[i].Role == Sidecar || why == DefinitionChanged {
		return true
	}
	if c.RestartPolicy != nil {
		return *c.RestartPolicy != corev1.ContainerRestartPolicyNever
	}
	return pod.Spec.RestartPolicy != corev1.RestartPolicyNever
}
