package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Fault lets something go wrong on purpose: requests to the API, or nodes.
//
// What it does is decided by the simulator's seed, and happens at instants of
// virtual time. Requests for objects of group sim.kubesim.dev are never hit, so a
// Fault can always be deleted, which ends what it does. Times are looked at when
// virtual time reaches them: a Fault is no reason for clock mode auto to move time.
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

// FaultSpec says what goes wrong, and when. Exactly one of error, conflict, latency,
// dropWatch and expire, which hit requests, and of notReady, reboot, drain and
// pressure, which hit nodes, must be set.
type FaultSpec struct {
	// Requests says which requests are hit: those for which everything that is set
	// holds. If nothing is set, it is every request.
	// +optional
	Requests *RequestMatch `json:"requests,omitempty"`
	// Nodes is a pattern for the names of the nodes that are hit, for example
	// "node-1" or "node-*", in which * stands for any characters.
	// +optional
	Nodes string `json:"nodes,omitempty"`

	// Error answers a request with an error, in place of doing it.
	// +optional
	Error *RequestError `json:"error,omitempty"`
	// Conflict answers as if somebody else had changed the object meanwhile: 409.
	// Unless requests.verbs says otherwise, it hits update and patch.
	// +optional
	Conflict *Conflict `json:"conflict,omitempty"`
	// Latency is how long a request takes, for example "5s". A controller or kubelet
	// of the simulator goes on after that much virtual time; its Events are not held
	// up. A client is answered after that much time of its own, wall-clock time,
	// whatever the mode of the clock.
	// +optional
	Latency *string `json:"latency,omitempty"`
	// DropWatch closes the watches that are open when the Fault becomes active.
	// Controllers and kubelets of the simulator have none.
	// +optional
	DropWatch *DropWatch `json:"dropWatch,omitempty"`
	// Expire forgets the history before the instant at which the Fault becomes
	// active: watches are closed, and who goes on with one or with a list from an
	// older resource version gets 410 Gone, as after a compaction, and must list
	// anew. Controllers and kubelets of the simulator have no watches.
	// +optional
	Expire *Expire `json:"expire,omitempty"`

	// NotReady takes the kubelets of nodes off the network: heartbeats stop, and
	// nothing is heard of the Pods, which go on.
	// +optional
	NotReady *NotReady `json:"notReady,omitempty"`
	// Reboot lets nodes go down for the duration and come up again. Their containers
	// end, and start again as their Pods' restart policies say.
	// +optional
	Reboot *Reboot `json:"reboot,omitempty"`
	// Drain cordons nodes and evicts their Pods, as far as PodDisruptionBudgets allow.
	// When it ends the nodes are uncordoned.
	// +optional
	Drain *Drain `json:"drain,omitempty"`
	// Pressure lets nodes run out of memory or disk: they say so in a condition, are
	// tainted, and evict a Pod every ten seconds.
	// +optional
	Pressure *Pressure `json:"pressure,omitempty"`

	// After is how long after the Fault's creation it becomes active, for example
	// "90s". If neither it nor at is set, that is at once.
	// +optional
	After *string `json:"after,omitempty"`
	// At is when it becomes active.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
	// Duration is how long it stays active. If it is not set that is until it is
	// deleted or has reached its limit; for reboot it is then "30s".
	// +optional
	Duration *string `json:"duration,omitempty"`
	// Repeat lets it become active again and again.
	// +optional
	Repeat *Repeat `json:"repeat,omitempty"`
	// Percent is how many of the matching requests are hit, or how many of the
	// matching nodes each time that it becomes active. The simulator's seed decides
	// which. It is 100 if it is not set.
	// +optional
	// +k8s:validation:minimum=1
	// +k8s:validation:maximum=100
	Percent *int32 `json:"percent,omitempty"`
	// Limit ends the Fault after that many hits.
	// +optional
	// +k8s:validation:minimum=1
	Limit *int32 `json:"limit,omitempty"`
}

// RequestMatch says which requests are hit. Patterns are compared as a whole; in
// them * stands for any characters, also for none. A request that one pattern of
// each list matches is hit; an empty list matches all.
type RequestMatch struct {
	// Verbs are those of RBAC: get, list, watch, create, update, patch, delete,
	// deletecollection.
	// +optional
	// +listType=atomic
	Verbs []string `json:"verbs,omitempty"`
	// Resources are patterns for resources as kubectl prints them, with their group
	// and subresource, for example "pods", "pods/status", "jobs.batch" or "*.batch".
	// +optional
	// +listType=atomic
	Resources []string `json:"resources,omitempty"`
	// Namespace is a pattern for the namespace. Requests for objects of the cluster
	// itself have an empty one.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name is a pattern for the object's name. That of an object whose name is
	// generated is its generateName.
	// +optional
	Name string `json:"name,omitempty"`
	// Users are patterns for the name of who asks, for example
	// "system:serviceaccount:kube-system:job-controller", "system:node:*" or
	// "system:kube-scheduler".
	// +optional
	// +listType=atomic
	Users []string `json:"users,omitempty"`
	// Groups are patterns for the groups of who asks, for example "system:masters".
	// +optional
	// +listType=atomic
	Groups []string `json:"groups,omitempty"`
	// UserAgents are patterns for the program that asks, for example "kubectl/*".
	// The simulator's own controllers and kubelets have none and do not match; "*"
	// so matches every client.
	// +optional
	// +listType=atomic
	UserAgents []string `json:"userAgents,omitempty"`
}

// RequestError is how a request fails.
type RequestError struct {
	// Code is the HTTP status code. It is 500 if it is not set.
	// +optional
	// +k8s:validation:minimum=400
	// +k8s:validation:maximum=599
	Code int32 `json:"code,omitempty"`
	// Reason is the machine-readable reason, for example ServerTimeout. If it is not
	// set, it is the one that Kubernetes gives with the code.
	// +optional
	Reason metav1.StatusReason `json:"reason,omitempty"`
	// Message is what kubectl prints. If it is not set, it is the one that Kubernetes
	// gives with the code.
	// +optional
	Message string `json:"message,omitempty"`
	// RetryAfterSeconds tells clients when to try again. Many do so by themselves.
	// +optional
	// +k8s:validation:minimum=0
	RetryAfterSeconds int32 `json:"retryAfterSeconds,omitempty"`
}

// Conflict answers with 409. It has no fields.
type Conflict struct{}

// DropWatch closes open watches. It has no fields.
type DropWatch struct{}

// Expire forgets history. It has no fields.
type Expire struct{}

// NotReady takes kubelets off the network. It has no fields.
type NotReady struct{}

// Reboot lets nodes go down and come up again. It has no fields.
type Reboot struct{}

// Drain cordons nodes and evicts their Pods. It has no fields.
type Drain struct{}

// Pressure is what a node lacks.
type Pressure struct {
	// Resource is Memory or Disk.
	// +required
	Resource PressureResource `json:"resource"`
	// Evictions is how many Pods a node evicts at most; if it is not set that is as
	// many as it has.
	// +optional
	// +k8s:validation:minimum=0
	Evictions *int32 `json:"evictions,omitempty"`
}

// PressureResource is what a node can run out of.
// +enum
type PressureResource string

// What a node can run out of.
const (
	PressureMemory PressureResource = "Memory"
	PressureDisk   PressureResource = "Disk"
)

// Repeat lets a Fault become active again and again.
type Repeat struct {
	// Every is how long after the beginning of one time the next one begins.
	// +required
	Every string `json:"every"`
	// Times is how often the Fault becomes active in all. If it is not set that is
	// for ever.
	// +optional
	// +k8s:validation:minimum=1
	Times *int32 `json:"times,omitempty"`
}

// FaultState says where a Fault is in its schedule.
// +enum
type FaultState string

// The states of a Fault.
const (
	// FaultPending: it is going to be active.
	FaultPending FaultState = "Pending"
	// FaultActive: it hits what matches.
	FaultActive FaultState = "Active"
	// FaultEnded: it will not be active again.
	FaultEnded FaultState = "Ended"
)

// FaultStatus says what a Fault has done.
type FaultStatus struct {
	// State is Pending, Active or Ended.
	// +optional
	State FaultState `json:"state,omitempty"`
	// Activations is how often it has become active.
	// +optional
	Activations int32 `json:"activations,omitempty"`
	// Matches is how many matching requests it has seen while it was active.
	// +optional
	Matches int64 `json:"matches,omitempty"`
	// Hits is how many requests, or nodes, it has hit.
	// +optional
	Hits int64 `json:"hits,omitempty"`
	// LastHitTime is when it has last hit something.
	// +optional
	LastHitTime *metav1.Time `json:"lastHitTime,omitempty"`
	// NextTransitionTime is when the state changes next by the schedule.
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
