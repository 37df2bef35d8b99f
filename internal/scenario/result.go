package scenario

import (
	"time"
)

// Entry is one line of a timeline.
type Entry struct {
	Time time.Time `json:"time"`
	// Who is the object or, for the scenario itself, "step", "ok" or "FAILED".
	Who  string `json:"who"`
	What string `json:"what"`
}

// Outcome is how one expectation ended.
type Outcome struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Where is its file and line.
	Where string `json:"where"`
	// Time is when it was decided.
	Time time.Time `json:"time,omitzero"`
	// What follows says why it failed.
	Expected string           `json:"expected,omitempty"`
	Actual   string           `json:"actual,omitempty"`
	Objects  []map[string]any `json:"objects,omitempty"`
	// Want is what the only one of Objects should have been.
	Want map[string]any `json:"want,omitempty"`
	// Events are the last lines of the timeline about the objects.
	Events []Entry `json:"events,omitempty"`
}

// Result is what became of a run.
type Result struct {
	Scenario string    `json:"scenario"`
	File     string    `json:"file"`
	Seed     uint64    `json:"seed"`
	Start    time.Time `json:"startTime"`
	End      time.Time `json:"endTime"`
	Passed   bool      `json:"passed"`
	// Error is why the run could not go on: a step that failed.
	Error    string    `json:"error,omitempty"`
	Outcomes []Outcome `json:"expectations"`
	Timeline []Entry   `json:"timeline,omitempty"`
}

// Failed counts the expectations that did not hold.
func (r *Result) Failed() (n int) {
	for _, o := range r.Outcomes {
		if o.State != Held {
			n++
		}
	}
	return n
}
