package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

// Request is one request to the API, as far as a Fault tells it from others.
type Request struct {
	// Verb is RBAC's, for example "create" or "watch".
	Verb string
	// Resource and Subresource name what is asked for; Name is the generateName of
	// an object that has no name yet.
	Resource        schema.GroupResource
	Subresource     string
	Namespace, Name string
	// User and Groups are those of the request, UserAgent is the client program.
	User      string
	Groups    []string
	UserAgent string
	// From is the revision that a watch, or a list of that very revision, starts
	// from; 0 for the present. Continues: it is a list's next page.
	From      int64
	Continues bool

	// local: a controller or kubelet of the simulator asks.
	local bool
}

// String is how the event log names it.
func (r *Request) String() string {
	text := r.Verb + " " + r.resource()
	if r.Namespace != "" {
		text += "/" + r.Namespace
	}
	if r.Name != "" {
		text += "/" + r.Name
	}
	return text
}

// resource is the name as kubectl prints it.
func (r *Request) resource() string {
	if r.Subresource == "" {
		return r.Resource.String()
	}
	return r.Resource.String() + "/" + r.Subresource
}

// short is the name without its group.
func (r *Request) short() string {
	if r.Subresource == "" {
		return r.Resource.Resource
	}
	return r.Resource.Resource + "/" + r.Subresource
}

// matches reports whether m is about r. Requests of the group's own are never hit.
func matches(m *v1alpha1.RequestMatch, r *Request) bool {
	if r.Resource.Group == v1alpha1.GroupName {
		return false
	}
	if m == nil {
		return true
	}
	switch {
	case !anyFits(m.Verbs, r.Verb), !anyFits(m.Resources, r.resource(), r.short()), !anyFits(m.Users, r.User), !anyFits(m.Groups, r.Groups...),
		!v1alpha1.Fits(m.Namespace, r.Namespace), !v1alpha1.Fits(m.Name, r.Name):
		return false
	}
	return len(m.UserAgents) == 0 || !r.local && anyFits(m.UserAgents, r.UserAgent)
}

// anyFits reports whether one of patterns, if there are any, fits one of values.
func anyFits(patterns []string, values ...string) bool {
	for _, pattern := range patterns {
		for _, value := range values {
			if v1alpha1.Fits(pattern, value) {
				return true
			}
		}
	}
	return len(patterns) == 0
}

// failure is the error that the Fault name answers r with.
func failure(name string, s *v1alpha1.FaultSpec, r *Request) error {
	if s.Conflict != nil {
		// As genericregistry.Store says it, k8s.io/apiserver v0.37.2.
		return apierrors.NewConflict(r.Resource, r.Name, errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	method := strings.ToUpper(r.Verb)
	if r.Verb == "create" {
		method = http.MethodPost // AlreadyExists, for code 409
	}
	err := apierrors.NewGenericServerResponse(int(s.Error.Code), method, r.Resource, r.Name, fmt.Sprintf("Fault %q", name), int(s.Error.RetryAfterSeconds), false)
	if s.Error.Reason != "" {
		err.ErrStatus.Reason = s.Error.Reason
	}
	if s.Error.Message != "" {
		err.ErrStatus.Message = s.Error.Message
	}
	if s.Error.RetryAfterSeconds > 0 && err.ErrStatus.Details == nil {
		err.ErrStatus.Details = &metav1.StatusDetails{RetryAfterSeconds: s.Error.RetryAfterSeconds}
	}
	return err
}

// expired is the answer to a list or watch from a resource version that is forgotten.
// Source: etcd3's watcher and cacher in k8s.io/apiserver pkg/storage v0.37.2.
func expired(r *Request, forgotten int64) error {
	if r.Continues {
		return apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
			"You must start a new list without the continue parameter.")
	}
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", r.From, forgotten))
}
