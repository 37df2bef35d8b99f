package registry

import (
	"context"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

// deletes reports whether the request is a deletion. That of a definition of custom
// resources sets a condition, at wall time.
func deletes(ctx context.Context) bool {
	info, ok := genericrequest.RequestInfoFrom(ctx)
	return ok && (info.Verb == "delete" || info.Verb == "deletecollection")
}

// stampTerminating puts virtual time on the condition Terminating, unless it has kept the
// time before.
func (s Stamper) stampTerminating(crd *apiextensions.CustomResourceDefinition, before metav1.Time) {
	if c := apiextensions.FindCRDCondition(crd, apiextensions.Terminating); c != nil && !c.LastTransitionTime.Equal(&before) {
		c.LastTransitionTime = s.now()
	}
}
