package apiserver

import (
	"context"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// withGate makes writes from outside enter through the gate and answers them
// when the cluster is at rest again. Reads pass, and so does the API server's
// own loopback client, which writes in the middle of somebody else's write.
func withGate(next http.Handler, gate Gate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !isOutsideWrite(req) {
			next.ServeHTTP(w, req)
			return
		}
		leave, err := gate.Enter(req.Context())
		if err != nil {
			http.Error(w, "kubesim: the cluster did not come to rest: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		held := &heldResponse{ResponseWriter: w}
		next.ServeHTTP(held, req)
		// The write has happened: if the client gives up waiting, its answer is
		// merely early.
		_ = leave(req.Context())
		held.release()
	})
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
	switch info.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
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
