package lifecycle

import "time"

// hook is a postStart or preStop hook under way.
type hook struct {
	// Since is when it began, Until when a sleep ends; zero for any other.
	Since, Until time.Time
	// Ended: its command or request has ended; Error says how it failed.
	Ended bool
	Error string `json:",omitempty"`
}

// done reports whether the hook has ended by now.
func (h *hook) done(now time.Time) bool {
	return h.Ended || !h.Until.IsZero() && !now.Before(h.Until)
}

// end has the hook end, with an error if it is not nil.
func (h *hook) end(err error) {
	h.Ended = true
	if err != nil {
		h.Error = err.Error()
	}
}
