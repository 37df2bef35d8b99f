package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/kubelet-sim/podstate"
)

// verb is one thing that a kubelet does.
type verb string

const (
	// beginSandbox mounts the volumes and begins to make the sandbox.
	beginSandbox verb = "begin sandbox"
	// endSandbox has the sandbox ready, with its IP.
	endSandbox verb = "end sandbox"
	// allocate judges a change of resources, actuate carries it out.
	allocate verb = "allocate"
	actuate  verb = "actuate"
	// remount brings the Pod's volumes up to date.
	remount verb = "remount"
	// askCertificates writes the requests for certificates that are due.
	askCertificates verb = "ask for certificates"
	// pull looks for the container's image and begins to pull it, if need be.
	pull verb = "pull"
	// endPull has the image, or the reason why it cannot be had.
	endPull verb = "end pull"
	// backOffPull and backOffRestart say that the kubelet waits.
	backOffPull    verb = "back off pull"
	backOffRestart verb = "back off restart"
	// removeAll forgets all containers, which then start again.
	removeAll verb = "remove all"
	// start creates the container and starts it.
	start verb = "start"
	// endPostStart has the container's postStart hook ended.
	endPostStart verb = "end post-start hook"
	// stopPod begins to stop the Pod.
	stopPod verb = "stop pod"
	// beginKill begins to end a container; hastenKill leaves it less time.
	beginKill  verb = "begin kill"
	hastenKill verb = "hasten kill"
	// endPreStop has its preStop hook ended, terminate asks it to end, kill ends
	// it.
	endPreStop verb = "end pre-stop hook"
	terminate  verb = "terminate"
	kill       verb = "kill"
	// finish removes the sandbox.
	finish verb = "finish"
)

// action is a verb with its object.
type action struct {
	Verb verb
	// Container is the index in podState.Containers, -1 for the Pod.
	Container int
	// Stop goes with stopPod, Why with beginKill.
	Stop podstate.Stop
	Why  podstate.KillReason
}

// plan is what has to be done now, in this order, and when to look again if
// nothing happens before.
type plan struct {
	Do   []action
	Wake engine.Wake
}

func do(v verb, container int) plan {
	return plan{Do: []action{{Verb: v, Container: container}}}
}

// at returns a plan that does nothing before t.
func at(t time.Time, kind engine.Kind) plan {
	return plan{Wake: engine.Wake{At: t, Kind: kind}}
}

// and joins two plans. On the way to work that comes later, the sooner wake is
// work too.
func (p plan) and(q plan) plan {
	wake := p.Wake.Sooner(q.Wake)
	if !p.Wake.At.IsZero() && !q.Wake.At.IsZero() {
		wake.Kind = min(p.Wake.Kind, q.Wake.Kind)
	}
	return plan{Do: append(p.Do, q.Do...), Wake: wake}
}
