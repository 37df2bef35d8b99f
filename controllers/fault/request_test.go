package fault

import (
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesim-dev/kubesim/apiserver/apis/sim/v1alpha1"
)

func TestMatches(t *testing.T) {
	local := Request{
		Verb: "update", Resource: schema.GroupResource{Group: "batch", Resource: "jobs"}, Subresource: "status", Namespace: "a", Name: "pi",
		User: "system:serviceaccount:kube-system:job-controller", Groups: []string{"system:serviceaccounts", "system:authenticated"}, local: true,
	}
	client := Request{Verb: "list", Resource: schema.GroupResource{Resource: "nodes"}, User: "ada", UserAgent: "kubectl/v1.37.2"}
	for name, tc := range map[string]struct {
		match *v1alpha1.RequestMatch
		req   Request
		want  bool
	}{
		"nothing set matches all":                  {nil, local, true},
		"nor does an empty match":                  {&v1alpha1.RequestMatch{}, client, true},
		"a resource by its full name":              {&v1alpha1.RequestMatch{Resources: []string{"jobs.batch/status"}}, local, true},
		"a resource without its group":             {&v1alpha1.RequestMatch{Resources: []string{"jobs/status"}}, local, true},
		"a resource is not its subresource":        {&v1alpha1.RequestMatch{Resources: []string{"jobs"}}, local, false},
		"a pattern may be both":                    {&v1alpha1.RequestMatch{Resources: []string{"jobs*"}}, local, true},
		"one of several verbs":                     {&v1alpha1.RequestMatch{Verbs: []string{"get", "update"}}, local, true},
		"another verb":                             {&v1alpha1.RequestMatch{Verbs: []string{"create"}}, local, false},
		"all that is set must hold":                {&v1alpha1.RequestMatch{Namespace: "a", Name: "e*"}, local, false},
		"a namespace is not that of the cluster":   {&v1alpha1.RequestMatch{Namespace: "*a*"}, client, false},
		"who asks":                                 {&v1alpha1.RequestMatch{Users: []string{"*:job-controller"}}, local, true},
		"a group of who asks":                      {&v1alpha1.RequestMatch{Groups: []string{"system:masters", "system:auth*"}}, local, true},
		"nobody's groups":                          {&v1alpha1.RequestMatch{Groups: []string{"system:masters"}}, client, false},
		"a client by its program":                  {&v1alpha1.RequestMatch{UserAgents: []string{"kubectl/*"}}, client, true},
		"controllers of the simulator have no one": {&v1alpha1.RequestMatch{UserAgents: []string{"*"}}, local, false},
		"Faults can always be deleted":             {nil, Request{Verb: "delete", Resource: schema.GroupResource{Group: v1alpha1.GroupName, Resource: "faults"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matches(tc.match, &tc.req); got != tc.want {
				t.Errorf("matches: %v", got)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	pod := Request{Verb: "create", Resource: schema.GroupResource{Resource: "pods"}, Name: "p"}
	for name, tc := range map[string]struct {
		spec    v1alpha1.FaultSpec
		code    int32
		reason  metav1.StatusReason
		message string
	}{
		"Kubernetes' words for a code": {
			v1alpha1.FaultSpec{Error: &v1alpha1.RequestError{Code: 503}}, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable,
			"the server is currently unable to handle the request (post pods p)",
		},
		"an internal error names the Fault": {
			v1alpha1.FaultSpec{Error: &v1alpha1.RequestError{Code: 500}}, http.StatusInternalServerError, metav1.StatusReasonInternalError,
			`an error on the server ("Fault \"f\"") has prevented the request from succeeding (post pods p)`,
		},
		"words of one's own": {
			v1alpha1.FaultSpec{Error: &v1alpha1.RequestError{Code: 429, Reason: "Tired", Message: "later"}}, http.StatusTooManyRequests, "Tired", "later",
		},
		"a conflict": {
			v1alpha1.FaultSpec{Conflict: &v1alpha1.Conflict{}}, http.StatusConflict, metav1.StatusReasonConflict,
			`Operation cannot be fulfilled on pods "p": the object has been modified; please apply your changes to the latest version and try again`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := failure("f", &tc.spec, &pod).(apierrors.APIStatus).Status()
			if got.Code != tc.code || got.Reason != tc.reason || got.Message != tc.message {
				t.Errorf("got %d %s %q", got.Code, got.Reason, got.Message)
			}
		})
	}
}
