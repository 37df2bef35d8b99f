package engine

import (
	"errors"
	"fmt"
)

// Host is what a controller runs on. New of each controller takes one, or a Config that
// embeds one and has more to say.
type Host struct {
	// View is the engine's picture of the cluster. New makes it hold what the
	// controller has to see.
	View *View
	// API is where the controller writes.
	API API
	// Recorder writes the controller's Events; one that tells none needs none.
	Recorder *EventRecorder
}

// Validate refuses a Host that lacks something, in the name of a controller, and returns
// what else is wrong with its Config along.
func (h *Host) Validate(controller string, more ...error) error {
	if h.View == nil {
		more = append(more, fmt.Errorf("%s: Host.View is nil: pass the engine's View", controller))
	}
	if h.API == nil {
		more = append(more, fmt.Errorf("%s: Host.API is nil: pass the API server's in-process client", controller))
	}
	return errors.Join(more...)
}

// ValidateTeller is Validate for a controller that writes Events.
func (h *Host) ValidateTeller(controller string, more ...error) error {
	if h.Recorder == nil {
		more = append(more, fmt.Errorf("%s: Host.Recorder is nil: pass Engine.NewEventRecorder in the name of its component", controller))
	}
	return h.Validate(controller, more...)
}
