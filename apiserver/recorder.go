package apiserver

import (
	"context"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// Recorder is told of the requests of clients that change what happens, in the order in
// which they enter the cluster, which is at rest meanwhile.
type Recorder interface {
	// Request is a write, or a read that a Fault has counted.
	Request(req *http.Request, who user.Info, body []byte)
	// Session is a request that joins its client to a container, or lasts in another way.
	Session(req *http.Request, who user.Info)
}

// told marks the context of a request that the Recorder knows already.
type told struct{}

// alreadyTold marks a request that was judged by the Faults and told then.
func alreadyTold(req *http.Request) *http.Request {
	return req.WithContext(context.WithValue(req.Context(), told{}, true))
}

// tell tells of a request once.
func tell(recorder Recorder, req *http.Request, body []byte) {
	if recorder == nil || req.Context().Value(told{}) != nil {
		return
	}
	who, ok := genericrequest.UserFrom(req.Context())
	info, known := genericrequest.RequestInfoFrom(req.Context())
	switch {
	case !ok || !known:
	case info.Verb == "watch" || isSession(info):
		recorder.Session(req, who)
	default:
		recorder.Request(req, who, body)
	}
}

// tellSession tells of a request that passes the gate, if it is a session.
func tellSession(recorder Recorder, req *http.Request) {
	if recorder == nil {
		return
	}
	who, ok := genericrequest.UserFrom(req.Context())
	info, known := genericrequest.RequestInfoFrom(req.Context())
	if ok && known && info.IsResourceRequest && isSession(info) {
		recorder.Session(req, who)
	}
}
