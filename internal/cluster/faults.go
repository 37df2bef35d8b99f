package cluster

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/fault"
)

// faults hits the requests of clients as the engine's Faults say; those of a server
// without an engine are not hit.
type faults struct {
	atomic.Pointer[fault.Reconciler]
}

var _ apiserver.Faults = (*faults)(nil)

// register makes the reconciler of e, which must see commits before all others, and
// returns the way on which the others write.
func (f *faults) register(e *engine.Engine, api engine.API) (engine.API, error) {
	r, err := fault.New(fault.Config{Engine: e, API: api})
	if err != nil {
		return nil, err
	}
	e.Register(r)
	f.Store(r)
	return r.API(api), nil
}

// Any implements apiserver.Faults.
func (f *faults) Any() bool {
	r := f.Load()
	return r != nil && r.Any()
}

// Concern implements apiserver.Faults.
func (f *faults) Concern(req *http.Request, info *genericrequest.RequestInfo, who user.Info) bool {
	r := f.Load()
	return r != nil && r.Concern(faultRequest(req, info, who, info.Name))
}

// Meet implements apiserver.Faults.
func (f *faults) Meet(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) apiserver.Verdict {
	r := f.Load()
	if r == nil {
		return apiserver.Verdict{}
	}
	out := r.Meet(faultRequest(req, info, who, name))
	return apiserver.Verdict{Err: out.Err, Wait: out.Delay, Counted: out.Counted}
}

// Watch implements apiserver.Faults.
func (f *faults) Watch(req *http.Request, info *genericrequest.RequestInfo, who user.Info, end func()) (over func()) {
	r := f.Load()
	if r == nil {
		return func() {}
	}
	return r.Watch(faultRequest(req, info, who, info.Name), end)
}

func faultRequest(req *http.Request, info *genericrequest.RequestInfo, who user.Info, name string) fault.Request {
	r := fault.Request{
		Verb: info.Verb, Resource: schema.GroupResource{Group: info.APIGroup, Resource: info.Resource}, Subresource: info.Subresource,
		Namespace: info.Namespace, Name: name, User: who.GetName(), Groups: who.GetGroups(), UserAgent: req.UserAgent(),
	}
	query := req.URL.Query()
	exactly := info.Verb == "watch" || query.Get("resourceVersionMatch") == string(metav1.ResourceVersionMatchExact)
	if token := query.Get("continue"); token != "" {
		r.From, r.Continues = continuesFrom(token), true
	} else if exactly {
		r.From, _ = strconv.ParseInt(query.Get("resourceVersion"), 10, 64) // else the handler says what is wrong
	}
	return r
}

// continuesFrom is the revision in a list's continue token; 0 if there is none. Source:
// EncodeContinue in k8s.io/apiserver pkg/storage v0.37.2.
func continuesFrom(token string) int64 {
	var content struct {
		ResourceVersion int64 `json:"rv"`
	}
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(data, &content) != nil {
		return 0
	}
	return content.ResourceVersion
}
