package handlers

import (
	"errors"
	"net/http"
)

// RecordPath is where a running server gives its recording.
const RecordPath = "/kubesim/record"

// RecordingStatus is the answer.
type RecordingStatus struct {
	// Scenario is the file so far.
	Scenario string `json:"scenario"`
	// Gaps counts what could not be recorded.
	Gaps int `json:"gaps,omitempty"`
}

// recording is what a cluster's clients have done.
type recording interface {
	// Read returns it, as a scenario, and how many things it could not take.
	Read() (scenario string, gaps int, err error)
}

// recordHandler serves RecordPath.
type recordHandler struct{ recording }

// ServeHTTP implements http.Handler.
func (h recordHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet {
		http.Error(w, "the recording answers GET", http.StatusMethodNotAllowed)
		return
	}
	text, gaps, err := "", 0, errors.New("this server records nothing: start it with --record FILE")
	if h.recording != nil {
		text, gaps, err = h.Read()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, http.StatusOK, RecordingStatus{Scenario: text, Gaps: gaps})
}
