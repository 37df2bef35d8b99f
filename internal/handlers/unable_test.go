package handlers

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// unable is a cluster that keeps neither its history nor the authors of commits.
type unable struct{}

func (unable) Past() (*cluster.Past, error)      { return nil, errors.New("no past") }
func (unable) Commits() (cluster.Commits, error) { return cluster.Commits{}, errors.New("no commits") }

// TestAClusterThatCannotSaysWhy, whatever is asked.
func TestAClusterThatCannotSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.Handler
		method  string
		want    string
	}{
		"its history":              {pastHandler{unable{}}, http.MethodGet, "no past\n"},
		"to go back":               {pastHandler{unable{}}, http.MethodPost, "no past\n"},
		"what happened":            {explainHandler{unable{}}, http.MethodGet, "no commits\n"},
		"a recording, without one": {recordHandler{}, http.MethodGet, "this server records nothing: start it with --record FILE\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			tc.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tc.method, "/", nil))
			if w.Code != http.StatusBadRequest || w.Body.String() != tc.want {
				t.Errorf("the answer is %d %q, want %d %q", w.Code, w.Body, http.StatusBadRequest, tc.want)
			}
		})
	}
}
