package lifecycle

import (
	"time"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// verb is one thing that a kubelet does.
type verb string

const (
	// beginSandbox mounts the volumes and begins to make the sandbox.
	beginSandbox verb = "begin sandbox"
	// endSandbox has the sandbox ready, with its IP.
	endSandbox verb = "end sandbox"
	// pull looks for the container's image and begins to pull it, if need be.
	pull verb = "pull"
	// endPull has the image, or the reason why it cannot be had.
	endPull verb = "end pull"
	// backOffPull and backOffRestart say that the kubelet waits.
	backOffPull    verb = "back off pull"
	backOffRestart verb = "back off restart"
	// start creates the container and starts it.
	start verb = "start"
	// stopPod begins to stop the Pod; terminate asks a container to end, kill
	// ends it.
	stopPod   verb = "stop pod"
	terminate verb = "terminate"
	kill      verb = "kill"
	// finish removes the sandbox.
	finish verb = "finish"
)

// action is a verb with its object.
type action struct {
	Verb verb
	// Container is the index in podState.Containers, -1 for the Pod.
	Container int
	// Stop goes with stopPod.
	Stop stop
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
