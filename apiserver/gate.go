package apiserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// withGate makes writes from outside enter through the gate and answers them
// when the cluster is at rest again. Reads pass, and so does the API server's
// own loopback client, which writes in the middle of somebody else's write.
func withGate(next http.Handler, gate Gate, recorder Recorder, serializer runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !isOutsideWrite(req) {
			tellSession(recorder, req)
			next.ServeHTTP(w, req)
			return
		}
		body, err := readBody(req)
		if err != nil {
			responsewriters.ErrorNegotiated(apierrors.NewBadRequest(err.Error()), serializer, schema.GroupVersion{}, w, req)
			return
		}
		ctx, cancel := beforeDeadline(req.Context())
		defer cancel()
		leave, err := gate.Enter(ctx)
		if err != nil {
			err := apierrors.NewServiceUnavailable("the simulated cluster is busy and did not come to rest: " + err.Error() +
				"; 'kubesim clock pause' stops it")
			responsewriters.ErrorNegotiated(err, serializer, schema.GroupVersion{}, w, req)
			return
		}
		tell(recorder, req, body)
		held := &heldResponse{ResponseWriter: w}
		answered := false
		defer func() {
			// The write has happened: if the cluster takes too long to come to
			// rest, the answer is true, though early.
			_ = leave(ctx)
			if answered { // else a handler panics, and net/http answers
				held.release()
			}
		}()
		next.ServeHTTP(held, req)
		answered = true
	})
}

// bodyMax is more than any body that the handlers accept. Source:
// MaxRequestBodyBytes of genericapiserver.NewConfig.
const bodyMax = 4 << 20

// readBody takes the body in, so that a slow client does not hold up the
// cluster from inside the gate.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(req.Body, bodyMax))
	if err != nil {
		return nil, err
	}
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), req.Body), req.Body}
	return data, nil
}

// answerTime is what is left of a request's time for its answer when the wait
// for rest is given up.
const answerTime = 2 * time.Second

// beforeDeadline ends early enough before ctx to answer: after its deadline
// upstream's filters answer 504, whatever has happened.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-answerTime))
	}
	return context.WithCancel(ctx)
}

// withEnd ends requests that could last for ever, such as watches, when ctx
// does, so that the server need not wait for them when it stops.
func withEnd(ctx context.Context, next http.Handler, lasts genericrequest.LongRunningRequestCheck) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if info, ok := genericrequest.RequestInfoFrom(req.Context()); ok && lasts(req, info) {
			inner, cancel := context.WithCancel(req.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			req = req.WithContext(inner)
		}
		next.ServeHTTP(w, req)
	})
}

func isOutsideWrite(req *http.Request) bool {
	info, ok := genericrequest.RequestInfoFrom(req.Context())
	if !ok || !info.IsResourceRequest {
		return false
	}
	if u, ok := genericrequest.UserFrom(req.Context()); ok && u.GetName() == user.APIServerUser {
		return false
	}
	if isClock(info) {
		return false // it is not stored, and waits for the gate itself
	}
	switch info.APIGroup {
	case "authentication.k8s.io", "authorization.k8s.io":
		return false // reviews write nothing
	}
	if isSession(info) {
		return false // they ask a kubelet or a Pod, whatever the method
	}
	switch info.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// isClock reports whether a request is for the Clock.
func isClock(info *genericrequest.RequestInfo) bool {
	return info.APIGroup == v1alpha1.GroupName && info.Resource == "clocks"
}

func isSession(info *genericrequest.RequestInfo) bool {
	switch info.Subresource {
	case "exec", "attach", "portforward", "proxy":
		return true
	}
	return false
}

// heldResponse keeps an answer back until release.
type heldResponse struct {
	http.ResponseWriter
	status int
	body   []byte
}

// WriteHeader implements http.ResponseWriter.
func (h *heldResponse) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *heldResponse) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	h.body = append(h.body, p...)
	return len(p), nil
}

// Flush implements http.Flusher: there is nothing to send yet.
func (h *heldResponse) Flush() {}

func (h *heldResponse) release() {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	h.ResponseWriter.WriteHeader(h.status)
	// A client that has gone away is not our concern.
	_, _ = h.ResponseWriter.Write(h.body)
}
