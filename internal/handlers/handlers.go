// Package handlers answers what kubesim's subcommands ask a running server, on paths
// beside the API: for its history, for what happened, for its recording.
package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// For returns what answers of a cluster, see cluster.Options.Handlers. The recording is
// nil if there is none.
func For(r recording) func(*cluster.Cluster) map[string]http.Handler {
	return func(c *cluster.Cluster) map[string]http.Handler {
		return map[string]http.Handler{HistoryPath: pastHandler{c}, ExplainPath: explainHandler{c}, RecordPath: recordHandler{r}}
	}
}

// answer answers with v, as JSON.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A client that has gone away is not our concern.
	_ = json.NewEncoder(w).Encode(v)
}
