package autoregister

import (
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// managedLabel says who keeps an APIService. Source: AutoRegisterManagedLabel of
// k8s.io/kube-aggregator pkg/controllers/autoregister v0.37.2.
const managedLabel = "kube-aggregator.kubernetes.io/automanaged"

// always and onStart are the values of upstream's label of an APIService that is kept all
// the time, and of one that is written when the server starts.
const (
	always  = "true"
	onStart = "onstart"
)

// managed reports whether an APIService is the reconciler's.
func managed(s *apiregistrationv1.APIService) bool {
	return s.Labels[managedLabel] == always
}

// desired returns the APIService of a group version, or nil if no definition serves it.
// Nothing of a definition in a compiled-in group is served; siblings are the APIServices of
// the group. Source: handleVersionUpdate.
func desired(group, version string, crds []*apiextensionsv1.CustomResourceDefinition, siblings []*apiregistrationv1.APIService) *apiregistrationv1.APIService {
	if slices.ContainsFunc(siblings, func(s *apiregistrationv1.APIService) bool {
		return s.Labels[managedLabel] == onStart
	}) {
		return nil
	}
	if !slices.ContainsFunc(crds, func(crd *apiextensionsv1.CustomResourceDefinition) bool {
		return slices.ContainsFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
			return v.Name == version && v.Served
		})
	}) {
		return nil
	}
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: version + "." + group, Labels: map[string]string{managedLabel: always}},
		Spec:       apiregistrationv1.APIServiceSpec{Group: group, Version: version, GroupPriorityMinimum: 1000, VersionPriority: 100},
	}
}

// plan is what to do about one APIService; nothing if all are nil.
type plan struct{ Create, Update, Delete *apiregistrationv1.APIService }

// decide returns what to do if there is have, or nothing, and want is desired, or nothing.
// Source: checkAPIService.
func decide(have, want *apiregistrationv1.APIService) plan {
	switch {
	case have == nil:
		return plan{Create: want}
	case !managed(have) || have.DeletionTimestamp != nil:
		return plan{}
	case want == nil:
		return plan{Delete: have}
	case equality.Semantic.DeepEqual(have.Spec, want.Spec):
		return plan{}
	}
	next := have.DeepCopy()
	next.Spec = want.Spec
	return plan{Update: next}
}
