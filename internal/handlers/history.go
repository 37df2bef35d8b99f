package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kubesim-dev/kubesim/internal/cluster"
	"github.com/kubesim-dev/kubesim/internal/history"
)

// HistoryPath is where a running server is asked for snapshots, and to go back.
const HistoryPath = "/kubesim/history"

// HistoryRequest asks for one thing.
type HistoryRequest struct {
	// Action is save, delete, restore or rewind.
	Action string `json:"action"`
	// Name is the snapshot's; saving, empty for a name of the server's choice.
	Name string `json:"name,omitempty"`
	// To is where to rewind to: a revision or a duration.
	To string `json:"to,omitempty"`
}

// HistoryStatus is the answer.
type HistoryStatus struct {
	Revision  int64              `json:"revision"`
	Snapshots []history.Snapshot `json:"snapshots"`
	// Saved is the snapshot that was asked for.
	Saved *history.Snapshot `json:"saved,omitempty"`
	// Revert is the number of the restore or rewind that was asked for, which goes
	// on after the answer, or of the last; Busy: it is under way.
	Revert int64 `json:"revert"`
	Busy   bool  `json:"busy"`
	// Reverted and Error say how it ended.
	Reverted history.Reverted `json:"reverted"`
	Error    string           `json:"error,omitempty"`
}

// historyBytesMax is far more than any request to HistoryPath has.
const historyBytesMax = 64 << 10

// withPast is a cluster, which may keep its history.
type withPast interface {
	Past() (*cluster.Past, error)
}

// pastHandler serves HistoryPath.
type pastHandler struct{ withPast }

// ServeHTTP implements http.Handler.
func (h pastHandler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	past, err := h.Past()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var s HistoryStatus
	code := http.StatusOK
	switch req.Method {
	case http.MethodGet:
	case http.MethodPost:
		code, err = post(past, w, req, &s)
	default:
		http.Error(w, "the history answers GET and POST", http.StatusMethodNotAllowed)
		return
	}
	if err == nil {
		s.Revision = past.Revision()
		s.Snapshots, err = past.Snapshots()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	revert := past.Revert()
	s.Revert, s.Busy, s.Reverted = revert.Number, revert.Busy, revert.Result
	if revert.Err != nil {
		s.Error = revert.Err.Error()
	}
	answer(w, code, s)
}

// post does what the request asks for. What takes the cluster back goes on after the
// answer.
func post(past *cluster.Past, w http.ResponseWriter, req *http.Request, s *HistoryStatus) (code int, err error) {
	var r HistoryRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, historyBytesMax)).Decode(&r); err != nil {
		return 0, fmt.Errorf("the request is no JSON history request: %w", err)
	}
	switch r.Action {
	case "save":
		saved, err := past.Save(req.Context(), r.Name)
		s.Saved = &saved
		return http.StatusOK, err
	case "delete":
		return http.StatusOK, past.Delete(r.Name)
	case "rewind":
		return http.StatusAccepted, past.BeginRewind(r.To)
	case "restore":
		return http.StatusAccepted, past.BeginRestore(r.Name)
	}
	return 0, fmt.Errorf("history action %q: want save, delete, restore or rewind", r.Action)
}
