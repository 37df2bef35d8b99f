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

// PodScript says what simulated containers do: how long their images are pulled,
// what they print, how long they work, how they end.
//
// A script is looked up whenever a container is about to be pulled or started. Of
// several that match, the one whose name comes first in alphabetical order runs it.
// An attempt that has begun keeps the steps that it began with: a script that is
// created, changed or deleted meanwhile counts from the container's next attempt.
type PodScript struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says which containers do what.
	// +required
	Spec PodScriptSpec `json:"spec"`
	// Status says which Pods the script has run. The simulator writes it.
	// +optional
	Status PodScriptStatus `json:"status,omitempty"`
}

// PodScriptSpec says which containers do what.
type PodScriptSpec struct {
	// Match says which containers the script runs: those for which everything
	// that is set holds. If nothing is set, it runs every container but init
	// containers.
	// +optional
	Match Match `json:"match,omitempty"`
	// Attempts says what a container does in its first attempt, its second, and so
	// on; the last one is repeated. An attempt is one try to run the container: the
	// pull of its image, if there is one, and what it does from its start to its end.
	// A Pod that replaces failed ones of the same owner, and of the same completion
	// index, goes on where those ended.
	// +required
	// +listType=atomic
	// +k8s:validation:minItems=1
	Attempts []Attempt `json:"attempts"`
}

// Match says which containers a script runs. Patterns are compared as a whole; in
// them * stands for any characters, also for none.
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
	// Owner selects Pods by the object that controls them, for example a Job.
	// +optional
	Owner *OwnerMatch `json:"owner,omitempty"`
	// Container is a pattern for the container's name. Init containers are run only
	// by a script that sets it.
	// +optional
	Container string `json:"container,omitempty"`
	// Indexes selects Pods by their index in an Indexed Job or a StatefulSet: numbers
	// and ranges, for example "0,3-5,7". Pods without an index do not match.
	// +optional
	Indexes string `json:"indexes,omitempty"`
}

// OwnerMatch selects Pods by the object that controls them. What is set must hold.
type OwnerMatch struct {
	// Kind is the owner's kind, for example Job or ReplicaSet.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Name is a pattern for the owner's name, for example "nightly-*".
	// +optional
	Name string `json:"name,omitempty"`
}

// Attempt says what a container does in one attempt.
type Attempt struct {
	// Indexes limits the attempt to Pods of these indexes in an Indexed Job or a
	// StatefulSet, for example "0,3-5". An index that some attempts name has those
	// alone; all other Pods have the attempts that name none.
	// +optional
	Indexes string `json:"indexes,omitempty"`
	// Steps are taken one after the other. After the last one the container exits
	// with code 0. A container ends at SIGTERM with code 143, unless a step says
	// otherwise.
	// +required
	// +listType=atomic
	// +k8s:validation:minItems=1
	Steps []Step `json:"steps"`
}

// Step is one thing that a container does: exactly one of its fields must be set,
// beside percent. Durations are written as "1h30m", "5s" or "250ms", and pass in
// virtual time.
type Step struct {
	// Percent is how often the step is taken, in percent of the attempts; else it
	// is left out. The simulator's seed decides. If it is not set the step is always
	// taken.
	// +optional
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=100
	Percent *int32 `json:"percent,omitempty"`

	// Pull is how long the pull of the image takes. It must come before all steps
	// but pullError. An image that is on the node already is not pulled, unless
	// imagePullPolicy is Always.
	// +optional
	Pull *string `json:"pull,omitempty"`
	// PullError lets the pull fail: it is the runtime's error, which the Pod shows
	// with the reasons ErrImagePull and ImagePullBackOff. No step can follow. The
	// image is asked for, even if it is on the node already.
	// +optional
	PullError *string `json:"pullError,omitempty"`
	// Log prints text to the standard output; a missing line end is added.
	// +optional
	Log *string `json:"log,omitempty"`
	// Stderr prints text to the standard error; a missing line end is added.
	// +optional
	Stderr *string `json:"stderr,omitempty"`
	// Wait lets time pass.
	// +optional
	Wait *string `json:"wait,omitempty"`
	// Shell runs a script of the simulated shell in the container, with its
	// environment, files and user. If it fails, the container exits with its status.
	// +optional
	Shell *string `json:"shell,omitempty"`
	// Run runs the container's own command, and the container ends with it.
	// +optional
	Run *Run `json:"run,omitempty"`
	// Ready says whether the container is ready from now on, whatever its readiness
	// probe finds. An attempt with such a step begins unready.
	// +optional
	Ready *bool `json:"ready,omitempty"`
	// Usage is what the container uses from now on, as kubectl top shows it. More
	// memory than its limit ends it, as oom does.
	// +optional
	Usage *Usage `json:"usage,omitempty"`
	// TerminationMessage writes the container's termination message.
	// +optional
	TerminationMessage *string `json:"terminationMessage,omitempty"`
	// Exit ends the container with an exit code.
	// +optional
	// +k8s:validation:minimum=0
	// +k8s:validation:maximum=255
	Exit *int32 `json:"exit,omitempty"`
	// Signal ends the container as a signal does: its exit code is 128 more than the
	// signal's number.
	// +optional
	Signal *Signal `json:"signal,omitempty"`
	// OOM ends the container as the kernel does when it uses more memory than its
	// limit: OOMKilled, exit code 137.
	// +optional
	OOM *OOM `json:"oom,omitempty"`
	// Evict lets the node evict the whole Pod, as a kubelet does under pressure.
	// +optional
	Evict *Evict `json:"evict,omitempty"`
	// Hang keeps the container running for ever.
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

// OOM ends a container for its use of memory. It has no fields.
type OOM struct{}

// Evict lets the node evict the Pod.
type Evict struct {
	// Message is the message of the Pod's status. If it is not set it says that the
	// node was low on memory.
	// +optional
	Message string `json:"message,omitempty"`
}

// Hang keeps a container running for ever.
type Hang struct {
	// IgnoreSIGTERM keeps it running until it is killed, at the end of its grace
	// period. Else it ends at SIGTERM.
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
}

// PodScriptStatus says which Pods a script has run. It lags behind them by up to a
// second of virtual time.
type PodScriptStatus struct {
	// Matches is how many Pods there are that the script has run.
	// +optional
	Matches int32 `json:"matches,omitempty"`
	// Active is how many of them have not finished.
	// +optional
	Active int32 `json:"active,omitempty"`
	// LastMatchTime is when the newest Pod that the script has run was started.
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
