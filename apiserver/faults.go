package apiserver

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// Faults makes requests of clients fail on purpose.
type Faults interface {
	// Any reports whether there is a Fault that could hit a request.
	Any() bool
	// Concern reports whether a Fault would count a read. It changes nothing.
	Concern(req *http.Request, info *genericrequest.RequestInfo, who user.Info) bool
	// Meet decides what happens to a request. name is the object's name, or its
	// generateName. Requests are judged one after the other, while the cluster is at
	// rest.
	Meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) Verdict
	// Watch registers end, which ends a watch from outside. over says that the watch
	// has ended.
	Watch(req *http.Request, info *genericrequest.RequestInfo, who user.Info, end func()) (over func())
}

// Verdict is what happens to a request.
type Verdict struct {
	// Err is the answer to the request, which is then not carried out.
	Err error
	// Wait is how long the request waits before it is carried out. It waits off the
	// stage, so it delays nobody else. Unit: wall time.
	Wait time.Duration
	// Counted says that the request matched, whether it was hit or not. A match is an
	// input of the engine.
	Counted bool
}

// nameOf returns the name of the object that is written, or its generateName.
func nameOf(info *genericrequest.RequestInfo, body []byte) string {
	if info.Name != "" || len(body) == 0 {
		return info.Name
	}
	obj, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
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

// sleep lets wall time pass. It returns early, with an error, when ctx ends.
func sleep(ctx context.Context, wait time.Duration) error {
	timer, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	<-timer.Done()
	return ctx.Err()
}
