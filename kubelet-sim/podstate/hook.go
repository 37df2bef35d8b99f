package podstate

import "time"

// Hook is a postStart or preStop hook under way.
type Hook struct {
	// Since is when it began, Until when a sleep ends; zero for any other.
	Since, Until time.Time
	// Ended: its command or request has ended; Error says how it failed.
	Ended bool
	Error string `json:",omitempty"`
}

// Done reports whether the hook has ended by now.
func (h *Hook) Done(now time.Time) bool {
	return h.Ended || !h.Until.IsZero() && !now.Before(h.Until)
}

// End has the hook end, with an error if it is not nil.
func (h *Hook) End(err error) {
	h.Ended = true
	if err != nil {
		h.Error = err.Error()
	}
}
