package podstate

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesim-dev/kubesim/kubelet-sim/script"
)

// Instance is one run of a container.
type Instance struct {
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
	// User is the user that it runs as, for the status.
	User *corev1.ContainerUser
	// Script is what a script has it do; nil if it runs its own command.
	Script *script.Play `json:",omitempty"`
	// Removed: it stands for instances that the kubelet has removed, see removeAll.
	Removed bool `json:",omitempty"`
}

// RemovedInstance stands for the instances of a container that the kubelet has
// removed. attempt is the last one's.
func RemovedInstance(attempt int32) *Instance {
	return &Instance{
		Attempt: attempt, Exited: true, Removed: true, ExitCode: ExitKilled, Reason: ReasonRestartingAll, Message: RemovedMessage,
	}
}
