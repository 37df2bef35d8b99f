package autoregister

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// service is an APIService with a value of upstream's label, or without it.
func service(label string, edits ...func(*apiregistrationv1.APIService)) *apiregistrationv1.APIService {
	s := &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1.example.com"},
		Spec:       apiregistrationv1.APIServiceSpec{Group: "example.com", Version: "v1", GroupPriorityMinimum: 1000, VersionPriority: 100},
	}
	if label != "" {
		s.Labels = map[string]string{"kube-aggregator.kubernetes.io/automanaged": label}
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func TestDecide(t *testing.T) {
	raised := func(s *apiregistrationv1.APIService) { s.Spec.GroupPriorityMinimum = 2000 }
	leaving := func(s *apiregistrationv1.APIService) { s.DeletionTimestamp = &metav1.Time{} }
	for name, tc := range map[string]struct {
		have, want *apiregistrationv1.APIService
		plan       plan
	}{
		"there is none, and none is wanted":   {nil, nil, plan{}},
		"there is none":                       {nil, service("true"), plan{Create: service("true")}},
		"it is as it should be":               {service("true"), service("true"), plan{}},
		"somebody has changed it":             {service("true", raised), service("true"), plan{Update: service("true")}},
		"nobody serves it any more":           {service("true"), nil, plan{Delete: service("true")}},
		"a user's own stays":                  {service("", raised), service("true"), plan{}},
		"a user's own stays without a reason": {service(""), nil, plan{}},
		"the server's own stays":              {service("onstart", raised), nil, plan{}},
		"it is being deleted":                 {service("true", leaving), nil, plan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.plan, decide(tc.have, tc.want)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDesired(t *testing.T) {
	crd := func(served bool) *apiextensionsv1.CustomResourceDefinition {
		return &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: served}, {Name: "v2", Served: true}},
		}}
	}
	for name, tc := range map[string]struct {
		crds     []*apiextensionsv1.CustomResourceDefinition
		siblings []*apiregistrationv1.APIService
		want     *apiregistrationv1.APIService
	}{
		"no definition":               {nil, nil, nil},
		"a version that is served":    {[]*apiextensionsv1.CustomResourceDefinition{crd(false), crd(true)}, nil, service("true")},
		"a version that is not":       {[]*apiextensionsv1.CustomResourceDefinition{crd(false)}, nil, nil},
		"a group of the server's own": {[]*apiextensionsv1.CustomResourceDefinition{crd(true)}, []*apiregistrationv1.APIService{service("onstart")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, desired("example.com", "v1", tc.crds, tc.siblings)); diff != "" {
				t.Errorf("APIService (-want +got):\n%s", diff)
			}
		})
	}
}
