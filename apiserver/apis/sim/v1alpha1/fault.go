package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Fault makes something go wrong on purpose: requests to the API, or nodes.
//
// The simulator's seed decides what it hits, and it acts in virtual time. Requests for
// objects of the group sim.kubesim.dev are never hit, so a Fault can always be
// deleted, which ends its effect. A Fault takes effect when virtual time reaches it:
// in clock mode auto, the clock does not advance for it.
type Fault struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says what goes wrong, and when.
	// +required
	Spec FaultSpec `json:"spec"`
	// Status says what the Fault has done. The simulator writes it.
	// +optional
	Status FaultStatus `json:"status,omitempty"`
}

// FaultSpec says what goes wrong, and when. Exactly one of these must be set: error,
// conflict, latency, dropWatch or expire, which affect requests, or notReady, reboot,
// drain or pressure, which affect nodes.
type FaultSpec struct {
	// Requests selects the requests that are hit: a request must meet every condition
	// that is set. If none is set, every request is hit.
	// +optional
	Requests *RequestMatch `json:"requests,omitempty"`
	// Nodes is a pattern for the names of the nodes that are hit, for example "node-1"
	// or "node-*"; * stands for any number of characters.
	// +optional
	Nodes string `json:"nodes,omitempty"`

	// Error answers a request with an error instead of carrying it out.
	// +optional
	Error *RequestError `json:"error,omitempty"`
	// Conflict answers with 409, as if somebody else had changed the object in the
	// meantime. Unless requests.verbs says otherwise, it hits update and patch.
	// +optional
	Conflict *Conflict `json:"conflict,omitempty"`
	// Latency is how long a request takes, for example "5s". The simulator's own
	// controllers and kubelets continue after that much virtual time; their Events are
	// not delayed. A client gets its answer after that much wall-clock time, whatever
	// the mode of the clock.
	// +optional
	Latency *string `json:"latency,omitempty"`
	// DropWatch closes all open watches when the Fault becomes active. The simulator's
	// own controllers and kubelets have none.
	// +optional
	DropWatch *DropWatch `json:"dropWatch,omitempty"`
	// Expire discards the history up to the moment at which the Fault becomes active.
	// Watches are closed, and a client that continues a watch or a list from an older
	// resource version gets 410 Gone, as after a compaction, and must list again. The
	// simulator's own controllers and kubelets have no watches.
	// +optional
	Expire *Expire `json:"expire,omitempty"`

	// NotReady disconnects the kubelets of nodes from the network: heartbeats stop and
	// no Pod status is reported, while the Pods keep running.
	// +optional
	NotReady *NotReady `json:"notReady,omitempty"`
	// Reboot makes nodes go down for the duration and come back up. Their containers
	// stop, and restart according to their Pods' restart policies.
	// +optional
	Reboot *Reboot `json:"reboot,omitempty"`
	// Drain cordons nodes and evicts their Pods, as far as PodDisruptionBudgets allow.
	// When the Fault ends, the nodes are uncordoned.
	// +optional
	Drain *Drain `json:"drain,omitempty"`
	// Pressure makes nodes run out of memory or disk: they report it in a condition,
	// are tainted, and evict a Pod every ten seconds.
	// +optional
	Pressure *Pressure `json:"pressure,omitempty"`

	// After is how long after its creation the Fault becomes active, for example
	// "90s". If neither this nor at is set, it is active at once.
	// +optional
	After *string `json:"after,omitempty"`
	// At is the time at which the Fault becomes active.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
	// Duration is how long the Fault stays active. If not set, it stays active until
	// it is deleted or reaches its limit; for reboot the default is "30s".
	// +optional
	Duration *string `json:"duration,omitempty"`
	// Repeat makes the Fault active again and again.
	// +optional
	Repeat *Repeat `json:"repeat,omitempty"`
	// Percent is the percentage of matching requests that are hit or, for nodes, the
	// percentage of matching nodes that are hit at each activation. The simulator's
	// seed decides which. The default is 100.
	// +optional
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=100
	Percent *int32 `json:"percent,omitempty"`
	// Limit ends the Fault after this many hits.
	// +optional
	// +k8s:validation:minimum=1
	Limit *int32 `json:"limit,omitempty"`
}

// RequestMatch selects requests. A pattern must match the whole value; * stands for
// any number of characters, including none. For each list, at least one pattern must
// match; an empty list matches everything.
type RequestMatch struct {
	// Verbs are RBAC verbs: get, list, watch, create, update, patch, delete or
	// deletecollection.
	// +optional
	// +listType=atomic
	Verbs []string `json:"verbs,omitempty"`
	// Resources are patterns for resources as kubectl names them, with group and
	// subresource, for example "pods", "pods/status", "jobs.batch" or "*.batch".
	// +optional
	// +listType=atomic
	Resources []string `json:"resources,omitempty"`
	// Namespace is a pattern for the namespace. It is empty in requests for
	// cluster-scoped objects.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name is a pattern for the name of the object. If the name is to be generated,
	// generateName is used.
	// +optional
	Name string `json:"name,omitempty"`
	// Users are patterns for the name of the user, for example
	// "system:serviceaccount:kube-system:job-controller", "system:node:*" or
	// "system:kube-scheduler".
	// +optional
	// +listType=atomic
	Users []string `json:"users,omitempty"`
	// Groups are patterns for the groups of the user, for example "system:masters".
	// +optional
	// +listType=atomic
	Groups []string `json:"groups,omitempty"`
	// UserAgents are patterns for the User-Agent of the client, for example
	// "kubectl/*". The simulator's own controllers and kubelets have none and never
	// match, so "*" matches every external client.
	// +optional
	// +listType=atomic
	UserAgents []string `json:"userAgents,omitempty"`
}

// RequestError is how a request fails.
type RequestError struct {
	// Code is the HTTP status code. The default is 500.
	// +optional
	// +k8s:validation:minimum=400
	// +k8s:validation:maximum=599
	Code int32 `json:"code,omitempty"`
	// Reason is the machine-readable reason, for example ServerTimeout. The default is
	// the reason that Kubernetes gives with the code.
	// +optional
	Reason metav1.StatusReason `json:"reason,omitempty"`
	// Message is what kubectl prints. The default is the message that Kubernetes gives
	// with the code.
	// +optional
	Message string `json:"message,omitempty"`
	// RetryAfterSeconds tells clients when to try again. Many clients then do so
	// automatically.
	// +optional
	// +k8s:validation:minimum=0
	RetryAfterSeconds int32 `json:"retryAfterSeconds,omitempty"`
}

// Conflict answers with 409. It has no fields.
type Conflict struct{}

// DropWatch closes open watches. It has no fields.
type DropWatch struct{}

// Expire discards history. It has no fields.
type Expire struct{}

// NotReady disconnects kubelets from the network. It has no fields.
type NotReady struct{}

// Reboot makes nodes go down and come back up. It has no fields.
type Reboot struct{}

// Drain cordons nodes and evicts their Pods. It has no fields.
type Drain struct{}

// Pressure is what a node runs out of.
type Pressure struct {
	// Resource is Memory or Disk.
	// +required
	Resource PressureResource `json:"resource"`
	// Evictions is the maximum number of Pods that a node evicts. If not set, there is
	// no maximum.
	// +optional
	// +k8s:validation:minimum=0
	Evictions *int32 `json:"evictions,omitempty"`
}

// PressureResource is a resource that a node can run out of.
// +enum
type PressureResource string

// What a node can run out of.
const (
	PressureMemory PressureResource = "Memory"
	PressureDisk   PressureResource = "Disk"
)

// Repeat makes a Fault active again and again.
type Repeat struct {
	// Every is the time from the beginning of one activation to the beginning of the
	// next.
	// +required
	Every string `json:"every"`
	// Times is the total number of activations. If not set, there is no end.
	// +optional
	// +k8s:validation:minimum=1
	Times *int32 `json:"times,omitempty"`
}

// FaultState says where a Fault is in its schedule.
// +enum
type FaultState string

// The states of a Fault.
const (
	// FaultPending means that the Fault is yet to become active.
	FaultPending FaultState = "Pending"
	// FaultActive means that the Fault hits what matches.
	FaultActive FaultState = "Active"
	// FaultEnded means that the Fault will not become active again.
	FaultEnded FaultState = "Ended"
)

// FaultStatus says what a Fault has done.
type FaultStatus struct {
	// State is Pending, Active or Ended.
	// +optional
	State FaultState `json:"state,omitempty"`
	// Activations is how many times it has become active.
	// +optional
	Activations int32 `json:"activations,omitempty"`
	// Matches is the number of matching requests seen while it was active.
	// +optional
	Matches int64 `json:"matches,omitempty"`
	// Hits is the number of requests, or nodes, that it has hit.
	// +optional
	Hits int64 `json:"hits,omitempty"`
	// LastHitTime is the time of the last hit.
	// +optional
	LastHitTime *metav1.Time `json:"lastHitTime,omitempty"`
	// NextTransitionTime is when the state changes next according to the schedule.
	// +optional
	NextTransitionTime *metav1.Time `json:"nextTransitionTime,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// FaultList is a list of Faults.
type FaultList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items are the Faults.
	Items []Fault `json:"items"`
}
