package apiserver

import (
	"context"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// Recorder is told of the clients' requests that have an effect, in the order in which
// they enter the cluster. The cluster is at rest in the meantime.
type Recorder interface {
	// Request is a write, or a read that a Fault has counted.
	Request(req *http.Request, who user.Info, body []byte, phase Phase)
	// Session is a request that connects its client to a container, or lasts in another
	// way.
	Session(req *http.Request, who user.Info)
}

// Phase says which part of a request is carried out, if a Fault delays it. Its zero
// value means the whole request.
type Phase string

const (
	// Judged is the Faults' part, after which the request waits.
	Judged Phase = "judged"
	// Delayed is the rest, after the wait.
	Delayed Phase = "delayed"
)

type phaseKey struct{}

// WithPhase returns the context of a request of Server.Client of which one part is
// carried out.
func WithPhase(ctx context.Context, phase Phase) context.Context {
	return context.WithValue(ctx, phaseKey{}, phase)
}

func phaseOf(ctx context.Context) Phase {
	phase, _ := ctx.Value(phaseKey{}).(Phase) // else it is all of it
	return phase
}

func tell(recorder Recorder, v *visit, phase Phase) {
	switch {
	case recorder == nil:
	case v.info.Verb == "watch" || isSession(v.info):
		recorder.Session(v.req, v.who)
	default:
		recorder.Request(v.req, v.who, v.body, phase)
	}
}

// tellSession tells the recorder of a request that passes the gate, if it is a session.
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
