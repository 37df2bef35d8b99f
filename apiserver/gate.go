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
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/kubesim-dev/kubesim/apiserver/apis/quantity"
	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// entrance is where the requests of clients come in. Writes enter through the gate and
// are answered when the cluster is at rest again. So do reads that a Fault counts, and
// those for which a webhook in a simulated Pod may be asked. Other reads pass. So does the API server's own loopback client, which writes in the
// middle of another write.
//
// Invariant: for each request, one act covers what the authorizer and the Faults
// decide, what the Recorder is told, and what the request writes. Nothing else is on
// stage in the meantime. Only a request that a Fault delays has two acts, and is
// recorded as two.
type entrance struct {
	next     http.Handler
	gate     Gate
	faults   Faults
	recorder Recorder
	// authorizer decides again about a request that was authorized before it waited for
	// the gate.
	authorizer authorizer.Authorizer
	serializer runtime.NegotiatedSerializer
	// clock is virtual time; nil if there is none.
	clock registry.Clock
	// ends is done when the server stops.
	ends context.Context
	// stage is told who is on it. asks reports whether a read may have to ask something
	// simulated. Both are optional.
	stage *stage
	asks  func(*genericrequest.RequestInfo) bool
	// beginList: see Config.BeginList.
	beginList func(ctx context.Context, whole bool) (context.Context, func())
}

// ServeHTTP implements http.Handler.
func (e *entrance) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	v := newVisit(req)
	v.acts = v.write || e.reads(v)
	if !v.acts && !e.concerned(v) {
		e.pass(w, v)
		return
	}
	if v.write {
		body, err := readBody(req)
		if err != nil {
			e.refuse(w, v, apierrors.NewBadRequest(err.Error()))
			return
		}
		if err := quantity.Check(req.Header.Get("Content-Type"), body); err != nil {
			e.refuse(w, v, apierrors.NewBadRequest(err.Error()))
			return
		}
		v.body = body
		if e.faults != nil && e.faults.Any() {
			v.name = nameOf(v.info, body)
		}
	}
	wait, done := e.act(w, v)
	if wait > 0 {
		if err := sleep(req.Context(), wait); err != nil {
			e.refuse(w, v, err)
			return
		}
		v.phase = Delayed
		if v.acts {
			_, done = e.act(w, v)
		}
	}
	if !done {
		e.pass(w, v)
	}
}

// act takes the stage for a request. done says that the client has its answer.
// Otherwise the request is delayed, or it is a read that nothing has hit.
func (e *entrance) act(w http.ResponseWriter, v *visit) (wait time.Duration, done bool) {
	ctx, cancel := beforeDeadline(v.req.Context())
	defer cancel()
	leave, err := e.gate.Enter(ctx)
	if err != nil {
		e.refuse(w, v, apierrors.NewServiceUnavailable("the simulated cluster is busy and did not come to rest: "+err.Error()+
			"; 'kubesim clock pause' stops it"))
		return 0, true
	}
	held := &heldResponse{ResponseWriter: w, through: e.gate.Flows()}
	answered, began := false, e.now()
	defer func() {
		// The write has happened. If the cluster takes too long to come to rest, the
		// answer is true, but early.
		err := leave(ctx)
		if v.write && !e.gate.Flows() {
			e.warn(w.Header(), began, err)
		}
		if answered && done { // else a handler panics, and net/http answers
			held.release()
		}
	}()
	wait, done = e.onStage(held, v)
	answered = true
	return wait, done
}

// onStage judges, records and carries out a request.
func (e *entrance) onStage(w http.ResponseWriter, v *visit) (wait time.Duration, done bool) {
	if v.write && !e.authorized(w, v.req) {
		return 0, true
	}
	var verdict Verdict
	if e.faults != nil && v.phase != Delayed {
		verdict = e.faults.Meet(v.req, v.info, v.who, v.name)
	}
	switch {
	case verdict.Err != nil:
		e.tell(v, v.phase)
		e.refuse(w, v, verdict.Err)
	case v.phase == Judged:
		w.WriteHeader(http.StatusNoContent) // this is a replay, which does the rest later
	case verdict.Wait > 0:
		e.tell(v, Judged)
		return verdict.Wait, false
	case !v.acts:
		if verdict.Counted {
			e.tell(v, v.phase)
		}
		return 0, false
	default:
		e.tell(v, v.phase)
		t := &turn{}
		defer t.end()
		ctx, cancel := e.stageContext(v.req.Context(), t)
		defer cancel()
		if !e.gate.Flows() {
			defer e.stage.enter(ctx)()
		}
		e.next.ServeHTTP(w, v.req.WithContext(ctx))
	}
	return 0, true
}

// stageContext returns the context of a request on stage. While time stands still, the
// request is carried out to its end. If it ended with its client or its deadline,
// upstream's handlers would answer at once, and what they have begun would continue in
// the middle of other requests.
func (e *entrance) stageContext(ctx context.Context, t *turn) (context.Context, context.CancelFunc) {
	if e.gate.Flows() {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), turnKey{}, t))
	stop := context.AfterFunc(e.ends, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// authorized decides again about a request that has waited for the gate: an earlier
// request may have taken the right away. If so, it answers the request.
func (e *entrance) authorized(w http.ResponseWriter, req *http.Request) bool {
	if e.authorizer == nil || e.gate.Flows() {
		return true
	}
	passed := false
	genericapifilters.WithAuthorization(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }), e.authorizer, e.serializer).
		ServeHTTP(w, req)
	return passed
}

// reads reports whether a read is carried out on stage, as a write is, because time may
// have to pass for it. While time flows, it does anyway.
func (e *entrance) reads(v *visit) bool {
	return e.asks != nil && v.outside && (v.info.Verb == "get" || v.info.Verb == "list") && e.asks(v.info) && !e.gate.Flows()
}

// concerned reports whether a Fault would count a read.
func (e *entrance) concerned(v *visit) bool {
	return e.faults != nil && v.outside && e.faults.Any() && e.faults.Concern(v.req, v.info, v.who)
}

// pass serves what needs no stage, or no longer needs it.
func (e *entrance) pass(w http.ResponseWriter, v *visit) {
	if !v.told {
		tellSession(e.recorder, v.req)
	}
	req := v.req
	if e.faults != nil && v.outside && v.info.Verb == "watch" {
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		defer e.faults.Watch(req, v.info, v.who, func() {
			if !v.told && e.recorder != nil {
				e.recorder.Session(req, v.who) // that a Fault has closed it is an input
			}
			cancel()
		})()
		req = req.WithContext(ctx)
	}
	if e.beginList != nil && v.outside && v.info.Verb == "list" {
		ctx, end := e.beginList(req.Context(), encodedWhole(req))
		defer end()
		defer cutOff(req.Context())()
		req = req.WithContext(ctx)
	}
	e.next.ServeHTTP(w, req)
}

func (e *entrance) tell(v *visit, phase Phase) {
	tell(e.recorder, v, phase)
	v.told = true
}

func (e *entrance) refuse(w http.ResponseWriter, v *visit, err error) {
	gv := schema.GroupVersion{}
	if v.info != nil {
		gv = schema.GroupVersion{Group: v.info.APIGroup, Version: v.info.APIVersion}
	}
	responsewriters.ErrorNegotiated(err, e.serializer, gv, w, v.req)
}

// visit is one request at the entrance.
type visit struct {
	req  *http.Request
	info *genericrequest.RequestInfo
	who  user.Info
	// outside says that a client asks for something of the API. write says that the
	// request changes something. acts says that it is carried out on stage.
	outside, write, acts bool
	// body is the body of a write. name is the object's name, or its generateName.
	body  []byte
	name  string
	phase Phase
	// told says that the Recorder knows of it.
	told bool
}

func newVisit(req *http.Request) *visit {
	v := &visit{req: req, phase: phaseOf(req.Context())}
	info, ok := genericrequest.RequestInfoFrom(req.Context())
	who, known := genericrequest.UserFrom(req.Context())
	if !ok {
		return v
	}
	v.info, v.who, v.name = info, who, info.Name
	v.outside = known && info.IsResourceRequest && who.GetName() != user.APIServerUser
	v.write = v.outside && isWrite(info)
	return v
}

// bodyMax is more than any body that the handlers accept. Source:
// MaxRequestBodyBytes of genericapiserver.NewConfig.
const bodyMax = 4 << 20

// readBody reads the body first, so that a slow client does not delay the cluster from
// inside the gate.
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

// answerTime is how much of a request's time is kept for its answer when the wait for
// rest is given up.
const answerTime = 2 * time.Second

// beforeDeadline returns a context that ends early enough before ctx to leave time for
// an answer. After the deadline of ctx, upstream's filters answer 504, whatever has
// happened.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-answerTime))
	}
	return context.WithCancel(ctx)
}

// withEnd ends requests that could last forever, such as watches, when ctx ends. So the
// server need not wait for them when it stops.
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

// isWrite reports whether the request changes what is stored.
func isWrite(info *genericrequest.RequestInfo) bool {
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

// heldResponse holds an answer back until release. If through is set, it does not,
// because nobody waits for rest: the answer to the deletion of a collection may be as
// large as the store.
type heldResponse struct {
	http.ResponseWriter
	through bool
	status  int
	body    [][]byte
}

// pieceBytes is larger than most answers.
const pieceBytes = 4 << 10

// WriteHeader implements http.ResponseWriter.
func (h *heldResponse) WriteHeader(status int) {
	if h.status != 0 {
		return
	}
	h.status = status
	if h.through {
		h.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (h *heldResponse) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if h.through {
		return h.ResponseWriter.Write(p)
	}
	if n := len(h.body); n > 0 && cap(h.body[n-1])-len(h.body[n-1]) >= len(p) {
		h.body[n-1] = append(h.body[n-1], p...)
		return len(p), nil
	}
	// The body is kept in pieces. One slice that grows would be copied again and again.
	h.body = append(h.body, append(make([]byte, 0, max(len(p), pieceBytes)), p...))
	return len(p), nil
}

// Flush implements http.Flusher: there is nothing to send yet.
func (h *heldResponse) Flush() {}

func (h *heldResponse) release() {
	if h.through {
		return
	}
	if h.status == 0 {
		h.status = http.StatusOK
	}
	h.ResponseWriter.WriteHeader(h.status)
	for _, piece := range h.body {
		// A client that has disconnected does not concern us.
		_, _ = h.ResponseWriter.Write(piece)
	}
}
