package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClockName is the name of the one Clock.
const ClockName = "cluster"

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Clock is the cluster's virtual clock. There is exactly one, called cluster, and it
// always exists. It shows the time at which you ask: it is not stored, has no resource
// version and cannot be watched.
//
// Changing its spec changes the clock; the answer comes once the cluster has settled.
// POST to the subresource advance to move time; GET the subresource settled to wait
// until the cluster has settled.
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
	// timer while work is under way, and otherwise stands still) or manual (time moves
	// only on command).
	// +required
	Mode string `json:"mode"`
	// Speed is how many virtual seconds pass per second in mode realtime. It must be
	// greater than 0 and at most 1000000.
	// +required
	Speed float64 `json:"speed"`
	// Paused stops time, whatever the mode; explicit commands still move it.
	// +optional
	Paused bool `json:"paused"`
}

// ClockStatus says what time it is.
type ClockStatus struct {
	// Now is the current virtual time.
	// +optional
	Now metav1.MicroTime `json:"now,omitempty"`
	// Settled is true if nothing is due now.
	// +optional
	Settled bool `json:"settled"`
	// NextTimer is the next time at which something is due, not counting heartbeats
	// and the like. It is not set if there is none.
	// +optional
	NextTimer *metav1.MicroTime `json:"nextTimer,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ClockList is a list of Clocks.
type ClockList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items holds the one Clock.
	Items []Clock `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ClockAdvance moves time forward, through every timer in between: it is the body of a
// POST to the subresource advance of the Clock. The answer is the Clock. It comes when
// the cluster has settled and everything it has written can be read. If the client
// stops waiting, time stops where it is. Exactly one of duration, until and next must
// be set.
type ClockAdvance struct {
	metav1.TypeMeta `json:",inline"`

	// Duration is how far time moves, for example "10m". "0s" only waits until the
	// cluster has settled.
	// +optional
	Duration *string `json:"duration,omitempty"`
	// Until is the time to move to, for example "2026-12-24T18:00:00Z".
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// Next moves time to the next timer, if there is one.
	// +optional
	Next bool `json:"next,omitempty"`
}
