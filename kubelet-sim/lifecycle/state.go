package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/kubesim-dev/kubesim/kubelet-sim/podcertificate"
	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// podState is what the kubelet knows of a Pod beside its API object.
type podState struct {
	// StartTime is when the kubelet first saw the Pod.
	StartTime time.Time
	// Sandbox is where the Pod's sandbox is, SandboxAt when it is ready.
	Sandbox   sandbox
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
	Containers []containerState
	// Stop is set once the Pod must not run any longer.
	Stop *stop
	// Finished: every container has ended for good and the sandbox is gone.
	Finished bool
	// Rejected says why the Pod may not run on its node; nil if it may.
	Rejected *rejection
	// Scripts are the names of the PodScripts that have run containers of the Pod.
	// Earlier is how many Pods before it have failed, nil before a script asks.
	Scripts []string `json:",omitempty"`
	Earlier *int     `json:",omitempty"`
	// Retired: the manifest of a static Pod is gone, or is another.
	Retired bool `json:",omitempty"`
	// Evicted is the message with which the node evicts the Pod, empty if it does not.
	Evicted string `json:",omitempty"`
	// Resize is the change of resources under way; nil if there is none.
	Resize *resizing `json:",omitempty"`
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

// sandbox is the state of a Pod's sandbox.
type sandbox int

const (
	noSandbox sandbox = iota
	sandboxStarting
	sandboxReady
	sandboxGone
)

// stop says why and since when a Pod is being stopped. Reason and Message go
// into its status; a reason makes the Pod Failed.
type stop struct {
	Since           time.Time
	Reason, Message string
}

// role is how a container takes part in its Pod's life.
type role int

const (
	regular role = iota
	initializer
	sidecar
	// ephemeral containers come later, beside the others, and run once.
	ephemeral
)

// stage is where a container is on its way.
type stage int

const (
	// idle: it does not run, and nothing is under way.
	idle stage = iota
	// pulling its image, until At.
	pulling
	// creating: it starts at At.
	creating
	// running, or being stopped.
	running
)

// containerState is what the kubelet knows of one container.
type containerState struct {
	Name  string
	Role  role
	Stage stage
	At    time.Time
	// Reason and Message say why it waits; empty for the usual reason.
	Reason, Message string
	// Blocked: it cannot be created until some object changes.
	Blocked bool
	// Current is the present or latest instance, Last the one before.
	Current, Last *instance
	// WakeAt is when the running program goes on by itself; zero if it waits.
	WakeAt time.Time
	// Busy counts the looks at the program, in a row, at which it did not wait.
	Busy int `json:",omitempty"`
	// Kill is set once the present instance has to end.
	Kill *killing `json:",omitempty"`
	// Killed: the kubelet has ended the instance and starts the next one in the
	// same breath; nobody sees that none runs.
	Killed bool `json:",omitempty"`
	// PostStart is the hook under way. Until it has ended the container does not
	// count as running.
	PostStart *hook `json:",omitempty"`
	// Started is what the startup probe says, Ready what the readiness probe
	// says; both are true without one. Unhealthy is the probe that failed so
	// often that the container has to be restarted.
	Started, Ready bool
	Unhealthy      killReason `json:",omitempty"`
	// Probes are those of the current instance.
	Probes []prober.State `json:",omitempty"`
	// Script is what a script has the container do in the attempt that has begun but
	// not started; Tries is how many attempts there were.
	Script *script.Play `json:",omitempty"`
	Tries  int          `json:",omitempty"`
	// Allocated are the resources that the container was given, Actual those that its
	// instance has; nil if they are what the spec asks for, or was allocated.
	Allocated, Actual *corev1.ResourceRequirements `json:",omitempty"`
	// Again: an init container has to run once more, in a new sandbox.
	Again bool `json:",omitempty"`
	// Image is the spec's image at the latest attempt to start an instance. It is that
	// of the whole attempt, whatever the spec says meanwhile.
	Image string `json:",omitempty"`
	// PullStart is when the present pull began.
	PullStart            time.Time
	BackOff, PullBackOff backOff
}

// instance is one run of a container.
type instance struct {
	ID                    string
	Attempt               int32
	Image, ImageID        string // as the runtime names it
	SpecImage             string `json:",omitempty"` // as the spec named it
	StartedAt, FinishedAt time.Time
	// Rough: FinishedAt is from a status, which has no fraction of the second. Term is
	// when the kubelet asked it to end; zero if it did not.
	Rough           bool      `json:",omitempty"`
	Term            time.Time `json:",omitzero"`
	Exited          bool
	ExitCode        int32
	Reason, Message string
	// User is whom it runs as, for the status.
	User *corev1.ContainerUser
	// Script is what a script has it do; nil if it runs its own command.
	Script *script.Play `json:",omitempty"`
	// Removed: it stands for instances that the kubelet has removed, see removeAll.
	Removed bool `json:",omitempty"`
}

// up reports whether the container counts as running.
func (c *containerState) up() bool { return c.Stage == running && c.PostStart == nil || c.Killed }

// exited reports whether the container has run and does not run now.
func (c *containerState) exited() bool { return c.Current != nil && c.Current.Exited }

// before is the instance that the back-off of the next one counts from; nil if
// there is none.
func (c *containerState) before() *instance {
	switch {
	case c.Killed:
		return c.Last
	case c.exited():
		return c.Current
	}
	return nil
}

// attempt is the number of the container's next instance.
func (c *containerState) attempt() int32 {
	if c.Current == nil {
		return 0
	}
	return c.Current.Attempt + 1
}

// spec returns the container's spec; pod must be the Pod that s was made from.
func (s *podState) spec(pod *corev1.Pod, i int) *corev1.Container {
	init, regular := len(pod.Spec.InitContainers), len(pod.Spec.Containers)
	switch {
	case i < init:
		return &pod.Spec.InitContainers[i]
	case i < init+regular:
		return &pod.Spec.Containers[i-init]
	}
	return (*corev1.Container)(&pod.Spec.EphemeralContainers[i-init-regular].EphemeralContainerCommon)
}

// restarts reports whether the exited container i may run again.
func (s *podState) restarts(pod *corev1.Pod, i int) bool {
	c := &s.Containers[i]
	if c.Killed || c.Current.Removed {
		return true
	}
	if c.Role == ephemeral || c.Role == initializer && c.Current.ExitCode == 0 {
		return false
	}
	return podutil.ContainerShouldRestart(*s.spec(pod, i), pod.Spec, c.Current.ExitCode)
}

// newPodState returns the state of a Pod that the kubelet sees for the first
// time.
func newPodState(pod *corev1.Pod, now time.Time) podState {
	s := podState{StartTime: now, Cursor: now, Certificates: podcertificate.Needed(pod, now)}
	if owner := controllerOf(pod); owner != nil && owner.Kind == "Job" {
		s.JobOwned = true
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		how := initializer
		if podutil.IsRestartableInitContainer(c) {
			how = sidecar
		}
		s.Containers = append(s.Containers, containerState{Name: c.Name, Role: how})
	}
	for i := range pod.Spec.Containers {
		s.Containers = append(s.Containers, containerState{Name: pod.Spec.Containers[i].Name})
	}
	s.addEphemeral(pod)
	return s
}

// addEphemeral adds the ephemeral containers that the Pod was given since; none
// is ever taken away.
func (s *podState) addEphemeral(pod *corev1.Pod) {
	before := len(pod.Spec.InitContainers) + len(pod.Spec.Containers)
	for i := len(s.Containers) - before; i < len(pod.Spec.EphemeralContainers); i++ {
		s.Containers = append(s.Containers, containerState{Name: pod.Spec.EphemeralContainers[i].Name, Role: ephemeral})
	}
}
