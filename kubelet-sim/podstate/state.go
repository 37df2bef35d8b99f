// Package podstate is what a kubelet knows of a Pod beside its API object.
//
// Invariant: State is one plain value. It can be compared, printed and stored as JSON,
// and is what survives a restart of the server; nothing in it is a program, a file or a
// timer. The functions here ask it questions, or take one fact over; what is to be done
// is said by package decide, what is reported by package status.
package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/admission"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podcertificate"
)

// State is what the kubelet knows of a Pod beside its API object.
type State struct {
	// StartTime is when the kubelet first saw the Pod.
	StartTime time.Time
	// Sandbox is where the Pod's sandbox is, SandboxAt when it is ready.
	Sandbox   Sandbox
	SandboxAt time.Time
	// SandboxTries counts those that found no address, since one came free.
	SandboxTries int `json:",omitempty"`
	// HostIP is the node's address, IP the Pod's, empty before the sandbox is
	// ready.
	HostIP, IP string
	// Blocked: a volume cannot be mounted until some object changes.
	Blocked bool
	// RemountAt is when its volumes are brought up to date; zero if they are.
	RemountAt time.Time `json:",omitzero"`
	// Cursor is the last instant at which the kubelet was due to go on with
	// the Pod; in a flowing clock the step itself comes a little later.
	Cursor time.Time
	// Containers holds the init containers, then the others, in the spec's
	// order, then the ephemeral ones.
	Containers []Container
	// Stop is set once the Pod must not run any longer.
	Stop *Stop
	// Finished: every container has ended for good and the sandbox is gone.
	Finished bool
	// Rejected says why the Pod may not run on its node; nil if it may.
	Rejected *admission.Rejection
	// Scripts are the names of the PodScripts that have run containers of the Pod.
	// Earlier is how many Pods before it have failed, nil before a script asks.
	Scripts []string `json:",omitempty"`
	Earlier *int     `json:",omitempty"`
	// Retired: the manifest of a static Pod is gone, or is another.
	Retired bool `json:",omitempty"`
	// Evicted is the message with which the node evicts the Pod, empty if it does not.
	Evicted string `json:",omitempty"`
	// Resize is the change of resources under way; nil if there is none.
	Resize *Resizing `json:",omitempty"`
	// Certificates are those that its volumes show.
	Certificates []podcertificate.State `json:",omitempty"`
	// LogBytes is what the logs of a Pod that has ended are charged with; Reclaimed: the
	// host's memory was short, and the Pod, or what is left of it, has to go.
	LogBytes  int64 `json:",omitempty"`
	Reclaimed bool  `json:",omitempty"`
	// MeasureVolumesAt is when the kubelet next measures the Pod's volumes; zero while none
	// of them holds too much.
	MeasureVolumesAt time.Time `json:",omitzero"`
	// JobOwned: a Job waits for the Pod's end.
	JobOwned bool
	// Boot is that of the node on which the Pod runs, see node.Boot.
	Boot string `json:",omitempty"`
	// Away: the node has been unreachable since the Pod was last reported, at the
	// instant AwaySince; its programs have not been looked at since.
	Away      bool      `json:",omitempty"`
	AwaySince time.Time `json:",omitzero"`
}

// Sandbox is the state of a Pod's sandbox.
type Sandbox int

// The states of a sandbox.
const (
	NoSandbox Sandbox = iota
	SandboxStarting
	SandboxReady
	SandboxGone
)

// Stop says why and since when a Pod is being stopped. Reason and Message go
// into its status; a reason makes the Pod Failed.
type Stop struct {
	Since           time.Time
	Reason, Message string
}

// Spec returns the container's spec; pod must be the Pod that s was made from.
func (s *State) Spec(pod *corev1.Pod, i int) *corev1.Container {
	init, regular := len(pod.Spec.InitContainers), len(pod.Spec.Containers)
	switch {
	case i < init:
		return &pod.Spec.InitContainers[i]
	case i < init+regular:
		return &pod.Spec.Containers[i-init]
	}
	return (*corev1.Container)(&pod.Spec.EphemeralContainers[i-init-regular].EphemeralContainerCommon)
}

// Restarts reports whether the exited container i may run again.
func (s *State) Restarts(pod *corev1.Pod, i int) bool {
	c := &s.Containers[i]
	if c.Killed || c.Current.Removed {
		return true
	}
	if c.Role == Ephemeral || c.Role == Initializer && c.Current.ExitCode == 0 {
		return false
	}
	return podutil.ContainerShouldRestart(*s.Spec(pod, i), pod.Spec, c.Current.ExitCode)
}

// New returns the state of a Pod that the kubelet sees for the first
// time.
func New(pod *corev1.Pod, now time.Time) State {
	s := State{StartTime: now, Cursor: now, Certificates: podcertificate.Needed(pod, now)}
	if owner := ControllerOf(pod); owner != nil && owner.Kind == "Job" {
		s.JobOwned = true
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		how := Initializer
		if podutil.IsRestartableInitContainer(c) {
			how = Sidecar
		}
		s.Containers = append(s.Containers, Container{Name: c.Name, Role: how})
	}
	for i := range pod.Spec.Containers {
		s.Containers = append(s.Containers, Container{Name: pod.Spec.Containers[i].Name})
	}
	s.AddEphemeral(pod)
	return s
}

// AddEphemeral adds the ephemeral containers that the Pod was given since; none
// is ever taken away.
func (s *State) AddEphemeral(pod *corev1.Pod) {
	before := len(pod.Spec.InitContainers) + len(pod.Spec.Containers)
	for i := len(s.Containers) - before; i < len(pod.Spec.EphemeralContainers); i++ {
		s.Containers = append(s.Containers, Container{Name: pod.Spec.EphemeralContainers[i].Name, Role: Ephemeral})
	}
}

// AnyRegularStarted reports whether a regular container of the Pod has run.
func AnyRegularStarted(s *State) bool {
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Role == Regular && c.Current != nil && !c.Current.Removed {
			return true
		}
	}
	return false
}

// AnyStarted reports whether a container of the Pod has run.
func AnyStarted(s *State) bool {
	for i := range s.Containers {
		if s.Containers[i].Current != nil {
			return true
		}
	}
	return false
}
