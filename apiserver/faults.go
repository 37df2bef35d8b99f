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
	// Meet says what a request meets: an error in place of its answer, or a delay, in
	// wall time, before it is done. name is the object's, or its generateName. Writes
	// are judged one after the other, while the cluster is at rest.
	Meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) (time.Duration, error)
	// Watch lets a watch be ended from outside, by end; over says that it has ended.
	Watch(req *http.Request, info *genericrequest.RequestInfo, who user.Info, end func()) (over func())
}

// withFaults judges the requests of clients before they enter the gate, so that one
// that is delayed holds nobody up.
func withFaults(next http.Handler, faults Faults, gate Gate, serializer runtime.NegotiatedSerializer) http.Handler {
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
			wait, err := meet(req, info, who, faults, gate)
			if wait > 0 {
				err = sleep(req.Context(), wait)
			}
			if err != nil {
				gv := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
				responsewriters.ErrorNegotiated(err, serializer, gv, w, req)
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
func meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, faults Faults, gate Gate) (time.Duration, error) {
	if !isOutsideWrite(req) {
		return faults.Meet(req, info, who, info.Name)
	}
	if err := readBody(req); err != nil {
		return 0, nil // the gate says what is wrong with it
	}
	name := info.Name
	if name == "" {
		name = nameInBody(req)
	}
	ctx, cancel := beforeDeadline(req.Context())
	defer cancel()
	leave, err := gate.Enter(ctx)
	if err != nil {
		return 0, nil // nor does the request itself get in
	}
	wait, err := faults.Meet(req, info, who, name)
	_ = leave(ctx) // it is judged, whether the cluster comes to rest or not
	return wait, err
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
