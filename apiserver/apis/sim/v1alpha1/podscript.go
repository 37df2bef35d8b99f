package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a Pod says of the scripts that run it.
const (
	// ScriptAnnotation is set on a Pod to the names of the PodScripts that have
	// run containers of it, in the order in which they began, joined by commas.
	ScriptAnnotation = GroupName + "/script"
	// ReasonScripted is the reason of the Event that says which script runs a
	// container, and for which attempt.
	ReasonScripted = "Scripted"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodScript says what simulated containers do: how long their images take to pull,
// what they print, how long they run and how they end.
//
// A script is chosen each time a container is about to be pulled or started. If
// several match, the first by name is used. An attempt keeps the steps that it started
// with: creating, changing or deleting a script affects only the container's next
// attempt.
type PodScript struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec selects containers and says what they do.
	// +required
	Spec PodScriptSpec `json:"spec"`
	// Status says which Pods the script has run. The simulator writes it.
	// +optional
	Status PodScriptStatus `json:"status,omitempty"`
}

// PodScriptSpec selects containers and says what they do.
type PodScriptSpec struct {
	// Match selects the containers that the script runs: a container must meet every
	// condition that is set. If none is set, the script runs every container except
	// init containers.
	// +optional
	Match Match `json:"match,omitempty"`
	// Attempts says what a container does on its first attempt, its second, and so on;
	// the last entry is repeated. An attempt is one try at running the container:
	// pulling its image, if necessary, and everything from its start to its exit. A
	// Pod that replaces failed Pods of the same owner, and of the same completion
	// index, continues where they stopped.
	// +required
	// +listType=atomic
	// +k8s:validation:minItems=1
	Attempts []Attempt `json:"attempts"`
}

// Match selects the containers that a script runs. A pattern must match the whole
// value; * stands for any number of characters, including none.
type Match struct {
	// Namespace is a pattern for the Pod's namespace.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// PodSelector selects Pods by their labels.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// Image is a pattern for the container's image, as the Pod names it, for
	// example "busybox*" or "registry.example.com/*".
	// +optional
	Image string `json:"image,omitempty"`
	// Owner selects Pods by the object that controls them, for example a Job or a
	// Deployment.
	// +optional
	Owner *OwnerMatch `json:"owner,omitempty"`
	// Container is a pattern for the container's name. A script runs init containers
	// only if this is set.
	// +optional
	Container string `json:"container,omitempty"`
	// Indexes selects Pods by their index in an Indexed Job or a StatefulSet, as
	// numbers and ranges, for example "0,3-5,7". Pods without an index do not match.
	// +optional
	Indexes string `json:"indexes,omitempty"`
}

// OwnerMatch selects Pods by the object that controls them, or by the one that controls
// that: the Pods of a Deployment are controlled by its ReplicaSets, those of a CronJob by
// its Jobs. Everything that is set must match the same object.
type OwnerMatch struct {
	// Kind is the owner's kind, for example Job, Deployment, StatefulSet or DaemonSet.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Name is a pattern for the owner's name, for example "nightly-*".
	// +optional
	Name string `json:"name,omitempty"`
}

// Attempt says what a container does on one attempt.
type Attempt struct {
	// Indexes limits the attempt to Pods with these indexes in an Indexed Job or a
	// StatefulSet, for example "0,3-5". A Pod whose index is named by any attempt uses
	// only the attempts that name it; all other Pods use those without indexes.
	// +optional
	Indexes string `json:"indexes,omitempty"`
	// Steps are taken in order. After the last one the container exits with code 0. On
	// SIGTERM a container exits with code 143, unless a step says otherwise.
	// +required
	// +listType=atomic
	// +k8s:validation:minItems=1
	Steps []Step `json:"steps"`
}

// Step is one thing that a container does. Exactly one field must be set, apart from
// percent. Durations are written as "1h30m", "5s" or "250ms" and pass in virtual time.
type Step struct {
	// Percent is the percentage of attempts in which the step is taken; in the others
	// it is skipped. The simulator's seed decides. If not set, the step is always
	// taken.
	// +optional
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=100
	Percent *int32 `json:"percent,omitempty"`

	// Pull is how long it takes to pull the image. It must come before all other steps
	// except pullError. An image that is already on the node is not pulled, unless
	// imagePullPolicy is Always.
	// +optional
	Pull *string `json:"pull,omitempty"`
	// PullError makes the pull fail with this runtime error, which the Pod shows with
	// the reasons ErrImagePull and ImagePullBackOff. No step can follow. The image is
	// pulled even if it is already on the node.
	// +optional
	PullError *string `json:"pullError,omitempty"`
	// Log prints text to standard output. A newline is added at the end if there is
	// none.
	// +optional
	Log *string `json:"log,omitempty"`
	// Stderr prints text to standard error. A newline is added at the end if there is
	// none.
	// +optional
	Stderr *string `json:"stderr,omitempty"`
	// Wait lets this much time pass.
	// +optional
	Wait *string `json:"wait,omitempty"`
	// Shell runs a script in the simulated shell, with the container's environment,
	// files and user. If it fails, the container exits with its status.
	// +optional
	Shell *string `json:"shell,omitempty"`
	// Run runs the container's own command. The container exits when the command does.
	// +optional
	Run *Run `json:"run,omitempty"`
	// Ready sets whether the container is ready from now on, whatever its readiness
	// probe finds. An attempt with such a step starts out not ready.
	// +optional
	Ready *bool `json:"ready,omitempty"`
	// Usage is what the container uses from now on, as shown by kubectl top. Exceeding
	// its memory limit kills the container, as oom does.
	// +optional
	Usage *Usage `json:"usage,omitempty"`
	// TerminationMessage writes the container's termination message.
	// +optional
	TerminationMessage *string `json:"terminationMessage,omitempty"`
	// Exit ends the container with this exit code.
	// +optional
	// +k8s:validation:minimum=0
	// +k8s:validation:maximum=255
	Exit *int32 `json:"exit,omitempty"`
	// Signal ends the container as this signal would: its exit code is 128 plus the
	// number of the signal.
	// +optional
	Signal *Signal `json:"signal,omitempty"`
	// OOM ends the container as the kernel does when it exceeds its memory limit:
	// OOMKilled, exit code 137.
	// +optional
	OOM *OOM `json:"oom,omitempty"`
	// Evict makes the node evict the whole Pod, as a kubelet does under pressure.
	// +optional
	Evict *Evict `json:"evict,omitempty"`
	// Hang keeps the container running forever.
	// +optional
	Hang *Hang `json:"hang,omitempty"`
}

// Signal is a signal that ends a program.
// +enum
type Signal string

// The signals that a step may name.
const (
	SignalHUP  Signal = "SIGHUP"
	SignalINT  Signal = "SIGINT"
	SignalQUIT Signal = "SIGQUIT"
	SignalILL  Signal = "SIGILL"
	SignalABRT Signal = "SIGABRT"
	SignalBUS  Signal = "SIGBUS"
	SignalFPE  Signal = "SIGFPE"
	SignalKILL Signal = "SIGKILL"
	SignalSEGV Signal = "SIGSEGV"
	SignalPIPE Signal = "SIGPIPE"
	SignalTERM Signal = "SIGTERM"
)

// Run runs the container's own command. It has no fields.
type Run struct{}

// OOM ends a container for exceeding its memory limit. It has no fields.
type OOM struct{}

// Evict makes the node evict the Pod.
type Evict struct {
	// Message is the message in the Pod's status. If not set, it says that the node
	// was low on memory.
	// +optional
	Message string `json:"message,omitempty"`
}

// Hang keeps a container running forever.
type Hang struct {
	// IgnoreSIGTERM keeps the container running until it is killed at the end of its
	// grace period. Otherwise it exits on SIGTERM.
	// +optional
	IgnoreSIGTERM bool `json:"ignoreSIGTERM,omitempty"`
}

// Usage is what a container uses.
type Usage struct {
	// CPU is in cores, for example 250m.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory is in bytes, for example 64Mi.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
	// Course says how the usage goes on from there: it changes evenly from each point to
	// the next, and stays at the last. Meanwhile the script goes on with its next steps. A
	// later usage step ends the course.
	// +optional
	// +listType=atomic
	Course []UsagePoint `json:"course,omitempty"`
}

// UsagePoint is what a container uses at some time after a usage step. It sets what the
// usage step sets: cpu, memory or both.
type UsagePoint struct {
	// After is the time since the usage step, for example 5m. It must be greater than
	// that of the point before.
	// +required
	After string `json:"after"`
	// CPU is in cores, for example 250m.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory is in bytes, for example 64Mi.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// PodScriptStatus says which Pods a script has run. It lags behind by up to a second
// of virtual time.
type PodScriptStatus struct {
	// Matches is the number of existing Pods that the script has run.
	// +optional
	Matches int32 `json:"matches,omitempty"`
	// Active is the number of these Pods that have not finished.
	// +optional
	Active int32 `json:"active,omitempty"`
	// LastMatchTime is the start time of the newest Pod that the script has run.
	// +optional
	LastMatchTime *metav1.Time `json:"lastMatchTime,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodScriptList is a list of PodScripts.
type PodScriptList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the PodScripts.
	Items []PodScript `json:"items"`
}
