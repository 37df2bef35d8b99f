package apiserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// Faults lets requests of clients go wrong on purpose.
type Faults interface {
	// Any reports whether there is anything that could.
	Any() bool
	// Meet says what a request meets. name is the object's, or its generateName. Writes
	// are judged one after the other, while the cluster is at rest.
	Meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) Verdict
	// Watch lets a watch be ended from outside, by end; over says that it has ended.
	Watch(req *http.Request, info *genericrequest.RequestInfo, who user.Info, end func()) (over func())
}

// Verdict is what a request meets.
type Verdict struct {
	// Err is what it is answered with, in place of being done.
	Err error
	// Wait is how long it waits before it is done. Unit: wall time.
	Wait time.Duration
	// Counted: it was a match, hit or not, which is an input of the engine.
	Counted bool
	// told: the Recorder knows of it.
	told bool
}

// withFaults judges the requests of clients before they enter the gate, so that one
// that is delayed holds nobody up.
func withFaults(next http.Handler, faults Faults, gate Gate, recorder Recorder, serializer runtime.NegotiatedSerializer) http.Handler {
	if faults == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		info, ok := genericrequest.RequestInfoFrom(req.Context())
		who, known := genericrequest.UserFrom(req.Context())
		if !ok || !known || !info.IsResourceRequest || who.GetName() == user.APIServerUser {
			next.ServeHTTP(w, req)
			return
		}
		if faults.Any() {
			v := meet(req, info, who, faults, gate, recorder)
			if v.told {
				req = alreadyTold(req)
			}
			if v.Wait > 0 {
				v.Err = sleep(req.Context(), v.Wait)
			}
			if v.Err != nil {
				gv := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
				responsewriters.ErrorNegotiated(v.Err, serializer, gv, w, req)
				return
			}
		}
		if info.Verb == "watch" {
			ctx, cancel := context.WithCancel(req.Context())
			defer cancel()
			defer faults.Watch(req, info, who, cancel)()
			req = req.WithContext(ctx)
		}
		next.ServeHTTP(w, req)
	})
}

// meet judges a request; a write at rest, and so in the order in which writes are made.
// Who has been counted goes on when that has had its effect: what a client does next
// then finds the same Faults in each run.
func meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, faults Faults, gate Gate, recorder Recorder) Verdict {
	ctx, cancel := beforeDeadline(req.Context())
	defer cancel()
	if !isOutsideWrite(req) {
		v := faults.Meet(req, info, who, info.Name)
		if v.Counted {
			if leave, err := gate.Enter(ctx); err == nil {
				tell(recorder, req, nil)
				_ = leave(ctx) // it is judged, whether the cluster comes to rest or not
			}
		}
		return v
	}
	body, err := readBody(req)
	if err != nil {
		return Verdict{} // the gate says what is wrong with it
	}
	name := info.Name
	if name == "" {
		name = nameInBody(req)
	}
	leave, err := gate.Enter(ctx)
	if err != nil {
		return Verdict{} // nor does the request itself get in
	}
	tell(recorder, req, body)
	v := faults.Meet(req, info, who, name)
	v.told = true
	_ = leave(ctx) // as above
	return v
}

// nameInBody is the name of an object that is to be created, or its generateName.
func nameInBody(req *http.Request) string {
	if req.Body == nil {
		return ""
	}
	data, err := io.ReadAll(req.Body) // it is in memory, see readBody
	req.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	obj, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return ""
	}
	object, err := meta.Accessor(obj)
	if err != nil {
		return ""
	}
	if name := object.GetName(); name != "" {
		return name
	}
	return object.GetGenerateName()
}

// sleep lets wall time pass; it returns early, with an error, when ctx ends.
func sleep(ctx context.Context, wait time.Duration) error {
	timer, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	<-timer.Done()
	return ctx.Err()
}
