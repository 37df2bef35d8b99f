package handlers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubesim-dev/kubesim/internal/cluster"
)

// counted counts what is read of it.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// noPast is a cluster of which nothing is asked.
type noPast struct{}

func (noPast) Past() (*cluster.Past, error) { return nil, nil }

func TestHistoryReadsNoMoreThanItNeeds(t *testing.T) {
	body := &counted{Reader: strings.NewReader(`{"action":"` + strings.Repeat("x", 10<<20) + `"}`)}
	w := httptest.NewRecorder()
	pastHandler{noPast{}}.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, HistoryPath, body))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "request body too large") {
		t.Errorf("the answer is %d %q", w.Code, w.Body)
	}
	if body.n > 2*historyBytesMax {
		t.Errorf("%d bytes were read", body.n)
	}
}
