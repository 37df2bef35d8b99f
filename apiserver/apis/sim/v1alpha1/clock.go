package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClockName is the name of the one Clock.
const ClockName = "cluster"

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Clock is the cluster's virtual clock. There is one, called cluster, which is always
// there. It shows the clock as it is when it is asked for: it is not stored, has no
// resource version and cannot be watched.
//
// To change its spec is to change the clock; the answer comes when the cluster has
// settled. POST to its subresource advance moves time, GET of its subresource settled
// waits until the cluster has settled.
type Clock struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. Only the name is kept.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says how time moves.
	// +optional
	Spec ClockSpec `json:"spec,omitempty"`
	// Status says what time it is.
	// +optional
	Status ClockStatus `json:"status,omitempty"`
}

// ClockSpec says how virtual time moves.
type ClockSpec struct {
	// Mode is realtime (time flows with the wall clock), auto (time jumps to the next
	// timer as long as work is under way, and then stands still) or manual (time moves
	// only when it is told to).
	// +required
	Mode string `json:"mode"`
	// Speed is how many virtual seconds pass in one second of mode realtime: a number
	// greater than 0, at most 1000000.
	// +required
	Speed float64 `json:"speed"`
	// Paused: time stands still, whatever the mode, but for what moves it explicitly.
	// +optional
	Paused bool `json:"paused"`
}

// ClockStatus says what time it is.
type ClockStatus struct {
	// Now is the present instant of virtual time.
	// +optional
	Now metav1.MicroTime `json:"now,omitempty"`
	// Settled: nothing is due now.
	// +optional
	Settled bool `json:"settled"`
	// NextTimer is the next instant at which something is due that is no heartbeat or
	// the like. It is not set if there is none.
	// +optional
	NextTimer *metav1.MicroTime `json:"nextTimer,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ClockList is a list of Clocks.
type ClockList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items is the one Clock that there is.
	Items []Clock `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ClockAdvance moves time on, through every timer in between: it is what is posted to
// the subresource advance of the Clock. The answer is the Clock, and comes when the
// cluster has settled and what it has written can be read. If who asked does not wait
// for it, time stops where it is. Exactly one of duration, until and next must be set.
type ClockAdvance struct {
	metav1.TypeMeta `json:",inline"`

	// Duration is how far time moves, for example "10m". "0s" only waits until the
	// cluster has settled.
	// +optional
	Duration *string `json:"duration,omitempty"`
	// Until is the instant to which time moves, for example "2026-12-24T18:00:00Z".
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// Next moves time to the next timer, if there is one.
	// +optional
	Next bool `json:"next,omitempty"`
}
