package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// tracedGate writes down when somebody enters and leaves.
type tracedGate struct{ trace *[]string }

func (g tracedGate) Enter(context.Context) (func(context.Context) error, error) {
	*g.trace = append(*g.trace, "enter")
	return func(context.Context) error {
		*g.trace = append(*g.trace, "leave")
		return nil
	}, nil
}

func (g tracedGate) Flows() bool { return false }

// tracedWriter writes down when the client gets its answer.
type tracedWriter struct {
	http.ResponseWriter
	trace *[]string
}

func (w tracedWriter) WriteHeader(status int) {
	*w.trace = append(*w.trace, "answer")
	w.ResponseWriter.WriteHeader(status)
}

func newEntrance(t *testing.T, next http.Handler, gate Gate) *entrance {
	return &entrance{next: next, gate: gate, serializer: legacyscheme.Codecs, ends: t.Context()}
}

func TestWritesFromOutsidePassTheGate(t *testing.T) {
	for name, tc := range map[string]struct {
		verb, user string
		want       []string
	}{
		"a write is answered after the cluster came to rest": {"create", "jane", []string{"enter", "write", "leave", "answer"}},
		"a deletion too": {"deletecollection", "jane", []string{"enter", "write", "leave", "answer"}},
		"a read passes":  {"list", "jane", []string{"write", "answer"}},
		"a watch passes": {"watch", "jane", []string{"write", "answer"}},
		"the API server's own client passes, in the middle of a write": {"update", user.APIServerUser, []string{"write", "answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			var trace []string
			inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				trace = append(trace, "write")
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte("body"))
			})
			ctx := genericrequest.WithRequestInfo(t.Context(), &genericrequest.RequestInfo{IsResourceRequest: true, Verb: tc.verb})
			ctx = genericrequest.WithUser(ctx, &user.DefaultInfo{Name: tc.user})
			recorder := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
			newEntrance(t, inner, tracedGate{&trace}).ServeHTTP(tracedWriter{recorder, &trace}, request)
			if diff := cmp.Diff(tc.want, trace); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if recorder.Code != http.StatusCreated || recorder.Body.String() != "body" {
				t.Errorf("answer %d %q, want 201 \"body\"", recorder.Code, recorder.Body)
			}
		})
	}
}

func TestAPanicLeavesTheGate(t *testing.T) {
	var trace []string
	ctx := genericrequest.WithRequestInfo(t.Context(), &genericrequest.RequestInfo{IsResourceRequest: true, Verb: "create"})
	ctx = genericrequest.WithUser(ctx, &user.DefaultInfo{Name: "jane"})
	handler := newEntrance(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }), tracedGate{&trace})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
	}()
	if diff := cmp.Diff([]string{"enter", "leave"}, trace); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestAWriteOutlivesItsClient: upstream's handlers answer when their context ends, and go
// on in the background, where others have the stage.
func TestAWriteOutlivesItsClient(t *testing.T) {
	var trace []string
	ctx, gone := context.WithCancel(t.Context())
	ctx = genericrequest.WithRequestInfo(ctx, &genericrequest.RequestInfo{IsResourceRequest: true, Verb: "create"})
	ctx = genericrequest.WithUser(ctx, &user.DefaultInfo{Name: "jane"})
	var onStage context.Context
	handler := newEntrance(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		gone()
		trace = append(trace, fmt.Sprint("write: ", req.Context().Err()))
		done, err := beginWrite(req.Context())
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			trace = append(trace, "written")
			done()
		}()
		onStage = req.Context()
	}), tracedGate{&trace})
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
	if diff := cmp.Diff([]string{"enter", "write: <nil>", "written", "leave"}, trace); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if _, err := beginWrite(onStage); err == nil {
		t.Error("a request that has left the stage may still write")
	}
}
