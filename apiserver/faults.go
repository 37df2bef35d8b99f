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

// Faults lets requests of clients go wrong on purpose.
type Faults interface {
	// Any reports whether there is anything that could.
	Any() bool
	// Concern reports whether a read would be counted. It changes nothing.
	Concern(req *http.Request, info *genericrequest.RequestInfo, who user.Info) bool
	// Meet says what a request meets. name is the object's, or its generateName.
	// Requests are judged one after the other, while the cluster is at rest.
	Meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) Verdict
	// Watch lets a watch be ended from outside, by end; over says that it has ended.
	Watch(req *http.Request, info *genericrequest.RequestInfo, who user.Info, end func()) (over func())
}

// Verdict is what a request meets.
type Verdict struct {
	// Err is what it is answered with, in place of being done.
	Err error
	// Wait is how long it waits before it is done, off the stage, so that it holds
	// nobody up. Unit: wall time.
	Wait time.Duration
	// Counted: it was a match, hit or not, which is an input of the engine.
	Counted bool
}

// nameOf is the name of the object that a write is about, or its generateName.
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

// sleep lets wall time pass; it returns early, with an error, when ctx ends.
func sleep(ctx context.Context, wait time.Duration) error {
	timer, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	<-timer.Done()
	return ctx.Err()
}
