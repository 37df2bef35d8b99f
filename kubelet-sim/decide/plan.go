package decide

import (
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// Verb is one thing that a kubelet does.
type Verb string

// The verbs, in the order in which a Pod's life has them.
const (
	// BeginSandbox mounts the volumes and begins to make the sandbox.
	BeginSandbox Verb = "begin sandbox"
	// EndSandbox has the sandbox ready, with its IP.
	EndSandbox Verb = "end sandbox"
	// Allocate judges a change of resources, Actuate carries it out.
	Allocate Verb = "allocate"
	Actuate  Verb = "actuate"
	// Remount brings the Pod's volumes up to date.
	Remount Verb = "remount"
	// AskCertificates writes the requests for certificates that are due.
	AskCertificates Verb = "ask for certificates"
	// Pull looks for the container's image and begins to pull it, if need be.
	Pull Verb = "pull"
	// EndPull has the image, or the reason why it cannot be had.
	EndPull Verb = "end pull"
	// BackOffPull and BackOffRestart say that the kubelet waits.
	BackOffPull    Verb = "back off pull"
	BackOffRestart Verb = "back off restart"
	// RemoveAll forgets all containers, which then start again.
	RemoveAll Verb = "remove all"
	// Start creates the container and starts it.
	Start Verb = "start"
	// EndPostStart has the container's postStart hook ended.
	EndPostStart Verb = "end post-start hook"
	// StopPod begins to stop the Pod.
	StopPod Verb = "stop pod"
	// BeginKill begins to end a container; HastenKill leaves it less time.
	BeginKill  Verb = "begin kill"
	HastenKill Verb = "hasten kill"
	// EndPreStop has its preStop hook ended, Terminate asks it to end, Kill ends
	// it.
	EndPreStop Verb = "end pre-stop hook"
	Terminate  Verb = "terminate"
	Kill       Verb = "kill"
	// Finish removes the sandbox.
	Finish Verb = "finish"
)

// Action is a verb with its object.
type Action struct {
	Verb Verb
	// Container is the index in podState.Containers, -1 for the Pod.
	Container int
	// Stop goes with StopPod, Why with BeginKill.
	Stop podstate.Stop
	Why  podstate.KillReason
}

// Plan is what has to be done now, in this order, and when to look again if
// nothing happens before.
type Plan struct {
	Do   []Action
	Wake engine.Wake
}

func do(v Verb, container int) Plan {
	return Plan{Do: []Action{{Verb: v, Container: container}}}
}

// at returns a plan that does nothing before t.
func at(t time.Time, why wakeFor) Plan { return Plan{Wake: why(t)} }

// wakeFor is why there is a wake, one of the engine's reasons.
type wakeFor = func(at time.Time) engine.Wake

// and joins two plans. On the way to work that comes later, the sooner wake is
// work too.
func (p Plan) and(q Plan) Plan {
	return Plan{Do: append(p.Do, q.Do...), Wake: p.Wake.And(q.Wake)}
}

// For so many tries to get a network or a certificate, and for so many restarts of a Job's
// container, auto mode advances the clock. A container whose Job has a higher limit starts
// again as time goes on.
const (
	sandboxTriesMax = 10
	restartsMax     = 100
)

// attempts is the reason of a wait that does the same again, after so many tries.
func attempts(tries, most int) wakeFor {
	return func(at time.Time) engine.Wake { return engine.Attempt(at, tries+1, most) }
}
