package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"k8s.io/apiserver/pkg/endpoints/responsewriter"
)

func loopbackGet(ctx context.Context, t *testing.T, handler http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://kubesim.loopback/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	return (&loopback{handler: handler}).RoundTrip(request)
}

func TestLoopbackStreamsABodyAsItIsWritten(t *testing.T) {
	proceed := make(chan struct{})
	response, err := loopbackGet(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", "y")
		w.WriteHeader(http.StatusAccepted)
		<-proceed
		_, _ = w.Write([]byte("late"))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted || response.Header.Get("X") != "y" {
		t.Errorf("answer %d %v, want 202 with header X", response.StatusCode, response.Header)
	}
	close(proceed)
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "late" {
		t.Errorf("body %q, %v, want \"late\"", body, err)
	}
}

// The client need not wait for a handler that does not look at its context.
func TestLoopbackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	told, answered := make(chan struct{}), make(chan struct{})
	_, err := loopbackGet(ctx, t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(told)
		<-answered
	})
	close(answered)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("RoundTrip: %v, want %v", err, context.Canceled)
	}
	<-told
}

func TestLoopbackWatchIsOneThatUpstreamsWrappersCanFlush(t *testing.T) {
	response, err := loopbackGet(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(responsewriter.CloseNotifierFlusher); !ok {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Error("the writer is no CloseNotifierFlusher: the API server refuses watches")
	}
}
