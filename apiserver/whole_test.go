package apiserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// TestListsOfClientsWaitForEachOther: from their begin to the end of their answers. What
// others may wait for does not: a write, or a list in the middle of it.
func TestListsOfClientsWaitForEachOther(t *testing.T) {
	for name, tc := range map[string]struct {
		verb, user string
		want       []string
	}{
		"a client's list":                    {"list", "jane", []string{"enter", "answer", "leave"}},
		"a watch":                            {"watch", "jane", []string{"answer"}},
		"a collection's deletion":            {"deletecollection", "jane", []string{"answer"}},
		"a list of the API server's own":     {"list", user.APIServerUser, []string{"answer"}},
		"a client's look at a single object": {"get", "jane", []string{"answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			var trace []string
			handler := newEntrance(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trace = append(trace, "answer") }), flowing{})
			handler.beginList = func(ctx context.Context, _ bool) (context.Context, func()) {
				trace = append(trace, "enter")
				return ctx, func() { trace = append(trace, "leave") }
			}
			ctx := genericrequest.WithRequestInfo(t.Context(), &genericrequest.RequestInfo{IsResourceRequest: true, Verb: tc.verb})
			ctx = genericrequest.WithUser(ctx, &user.DefaultInfo{Name: tc.user})
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
			if diff := cmp.Diff(tc.want, trace); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

// flowing is the gate of mode realtime.
type flowing struct{}

func (flowing) Enter(context.Context) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

func (flowing) Flows() bool { return true }

// TestAnswersAreNotHeldInRealtime: the answer to a collection's deletion may be as large as
// the store.
func TestAnswersAreNotHeldInRealtime(t *testing.T) {
	recorder := httptest.NewRecorder()
	handler := newEntrance(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("first"))
		if got := recorder.Body.String(); got != "first" {
			t.Errorf("the client has %q, want \"first\"", got)
		}
		_, _ = w.Write([]byte(", second"))
	}), flowing{})
	ctx := genericrequest.WithRequestInfo(t.Context(), &genericrequest.RequestInfo{IsResourceRequest: true, Verb: "deletecollection"})
	ctx = genericrequest.WithUser(ctx, &user.DefaultInfo{Name: "jane"})
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodDelete, "/", nil))
	if got := recorder.Body.String(); recorder.Code != http.StatusOK || got != "first, second" {
		t.Errorf("answer %d %q", recorder.Code, got)
	}
}

func TestEncodedWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		url, accept, agent string
		want               bool
	}{
		"JSON":                     {"/", "application/json", "kubectl/v1.37.2", false},
		"protobuf, or JSON":        {"/", "application/vnd.kubernetes.protobuf,application/json", "", false},
		"YAML":                     {"/", "application/yaml", "", true},
		"what people look at":      {"/", "application/json", "curl/8.0", true},
		"what they pass on":        {"/?pretty=false", "application/json", "curl/8.0", false},
		"what is to be indented":   {"/?pretty=1", "application/json", "kubectl/v1.37.2", true},
		"what is no yes and no no": {"/?pretty=x", "application/json", "curl/8.0", false},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.url, nil)
		req.Header.Set("Accept", tc.accept)
		req.Header.Set("User-Agent", tc.agent)
		if got := encodedWhole(req); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

// TestAListThatNobodyReadsEnds: when its time is up, whatever wraps the connection.
func TestAListThatNobodyReadsEnds(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(withAnswer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx := genericrequest.WithRequestInfo(req.Context(), &genericrequest.RequestInfo{IsResourceRequest: true, Verb: "list"})
		ctx, timeIsUp := context.WithCancel(genericrequest.WithUser(ctx, &user.DefaultInfo{Name: "jane"}))
		handler := newEntrance(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			timeIsUp()
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}), flowing{})
		handler.beginList = func(ctx context.Context, _ bool) (context.Context, func()) {
			return ctx, func() { close(ended) }
		}
		handler.ServeHTTP(w, req.WithContext(ctx))
	})))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
	}
	<-ended
}

// TestNothingIsCutOffThatIsOver: a handler that was left behind by a filter has no answer
// any more.
func TestNothingIsCutOffThatIsOver(t *testing.T) {
	for name, over := range map[string]bool{"an answer under way": false, "one that is over": true} {
		synctest.Test(t, func(t *testing.T) {
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			ctx, timeIsUp := context.WithCancel(t.Context())
			withAnswer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				cutOff(req.Context())
				if !over {
					timeIsUp()
					synctest.Wait()
				}
			})).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
			timeIsUp()
			synctest.Wait()
			if w.set == over {
				t.Errorf("%s was cut off: %t", name, w.set)
			}
		})
	}
}

// deadlines is an answer that notes whether it was given a deadline.
type deadlines struct {
	*httptest.ResponseRecorder
	set bool
}

// SetWriteDeadline is what http.ResponseController calls.
func (d *deadlines) SetWriteDeadline(time.Time) error {
	d.set = true
	return nil
}
