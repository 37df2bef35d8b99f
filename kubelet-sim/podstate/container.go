package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/prober"
	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// Role is how a container takes part in its Pod's life.
type Role int

// The roles.
const (
	Regular Role = iota
	Initializer
	Sidecar
	// Ephemeral containers come later, beside the others, and run once.
	Ephemeral
)

// Activity is what is under way with a container.
type Activity int

// The activities.
const (
	// Idle: it does not run, and nothing is under way.
	Idle Activity = iota
	// Pulling its image, until At.
	Pulling
	// Creating: it starts at At.
	Creating
	// Running, or being stopped.
	Running
)

// Container is what the kubelet knows of one container.
type Container struct {
	Name     string
	Role     Role
	Activity Activity
	At       time.Time
	// Reason and Message say why it waits; empty for the usual reason.
	Reason, Message string
	// Blocked: it cannot be created until some object changes.
	Blocked bool
	// Current is the present or latest instance, Last the one before.
	Current, Last *Instance
	// WakeAt is when the running program goes on by itself; zero if it waits.
	WakeAt time.Time
	// Busy counts the looks at the program, in a row, at which it did not wait.
	Busy int `json:",omitempty"`
	// Kill is set once the present instance has to end.
	Kill *Killing `json:",omitempty"`
	// Killed: the kubelet has ended the instance and starts the next one in the
	// same breath; nobody sees that none runs.
	Killed bool `json:",omitempty"`
	// PostStart is the hook under way. Until it has ended the container does not
	// count as running.
	PostStart *Hook `json:",omitempty"`
	// Started is what the startup probe says, Ready what the readiness probe
	// says; both are true without one. Unhealthy is the probe that failed so
	// often that the container has to be restarted.
	Started, Ready bool
	Unhealthy      KillReason `json:",omitempty"`
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
	// of the whole attempt, whatever the spec says in the meantime.
	Image string `json:",omitempty"`
	// PullStart is when the present pull began.
	PullStart            time.Time
	BackOff, PullBackOff BackOff
}

// Up reports whether the container counts as running.
func (c *Container) Up() bool { return c.Activity == Running && c.PostStart == nil || c.Killed }

// Exited reports whether the container has run and does not run now.
func (c *Container) Exited() bool { return c.Current != nil && c.Current.Exited }

// Before is the instance that the back-off of the next one counts from; nil if
// there is none.
func (c *Container) Before() *Instance {
	switch {
	case c.Killed:
		return c.Last
	case c.Exited():
		return c.Current
	}
	return nil
}

// Attempt is the number of the container's next instance.
func (c *Container) Attempt() int32 {
	if c.Current == nil {
		return 0
	}
	return c.Current.Attempt + 1
}

// FailPostStart leaves the container waiting after its postStart hook failed.
func (c *Container) FailPostStart() {
	c.Reason, c.Message, c.PostStart = ReasonPostStartHookError, c.PostStart.Error, nil
}

// Hold takes over what a probe has decided.
func (c *Container) Hold(p *prober.State) (changed bool) {
	switch {
	case p.Type == prober.Readiness:
		changed = c.Ready != p.Last
		c.Ready = p.Last
	case p.Type == prober.Startup && p.Last:
		changed = !c.Started
		c.Started, p.Over = true, true
	case p.Type == prober.Startup:
		changed = true
		c.Unhealthy, p.Over = StartupFailed, true
	case !p.Last:
		changed = true
		c.Unhealthy, p.Over = LivenessFailed, true
	}
	return changed
}
