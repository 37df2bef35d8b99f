package customresourcedefinition

import (
	"context"
	"slices"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/finalizer"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/cert"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// plan is the next thing to do for a definition. After it, decide looks again.
type plan struct {
	// Next is the definition with a new status; nil to leave it.
	Next *apiextensionsv1.CustomResourceDefinition
	// DeleteInstances says that objects are left that nobody has deleted.
	DeleteInstances bool
	// CheckAt is when to say that the deleted objects are still there.
	CheckAt time.Time
}

// checkAfter is how long the deletion of all objects may take before the definition says
// so. Unit: virtual time. Source: CRDFinalizer.deleteInstances.
const checkAfter = time.Minute

// decide returns what to do about crd, one of group, with its objects.
//
// Deviation: there is no condition NonStructuralSchema. Only what was written as
// apiextensions/v1beta1 can have such a schema.
func decide(crd *apiextensionsv1.CustomResourceDefinition, group []*apiextensionsv1.CustomResourceDefinition, instances []engine.Object, now time.Time) plan {
	next := *crd
	next.Finalizers = slices.Clone(crd.Finalizers)
	crd.Status.DeepCopyInto(&next.Status)
	name(&next, group, now)
	approve(&next, now)
	if changed(crd, &next) {
		return plan{Next: &next}
	}
	if waits(crd) {
		return terminate(crd, &next, instances, now)
	}
	establish(&next, now)
	if changed(crd, &next) {
		return plan{Next: &next}
	}
	return plan{}
}

// changed reports whether next says anything else than crd.
func changed(crd, next *apiextensionsv1.CustomResourceDefinition) bool {
	return !equality.Semantic.DeepEqual(crd.Status, next.Status)
}

// establish says that the resource of a definition with accepted names is served. Source:
// EstablishingController.sync.
func establish(crd *apiextensionsv1.CustomResourceDefinition, now time.Time) {
	if !apihelpers.IsCRDConditionTrue(crd, apiextensionsv1.NamesAccepted) || apihelpers.IsCRDConditionTrue(crd, apiextensionsv1.Established) {
		return
	}
	if c := crd.Spec.Conversion; c != nil && c.Webhook != nil && c.Webhook.ClientConfig != nil && !validBundle(c.Webhook.ClientConfig.CABundle) {
		set(crd, now, apiextensionsv1.Established, apiextensionsv1.ConditionFalse, "InvalidCABundle", "The conversion webhook CABundle is invalid")
		return
	}
	set(crd, now, apiextensionsv1.Established, apiextensionsv1.ConditionTrue, "InitialNamesAccepted", "the initial names have been accepted")
}

// validBundle is ValidateCABundle of k8s.io/apiserver pkg/util/webhook v0.37.2.
func validBundle(bundle []byte) bool {
	if len(bundle) == 0 {
		return true
	}
	_, err := cert.ParseCertsPEM(bundle)
	return err == nil
}

// approve says what the annotation of a definition in a group of Kubernetes' own means.
// Source: calculateCondition of the apiapproval controller.
func approve(crd *apiextensionsv1.CustomResourceDefinition, now time.Time) {
	if !apihelpers.IsProtectedCommunityGroup(crd.Spec.Group) {
		return
	}
	status, reason := apiextensionsv1.ConditionFalse, ""
	state, message := apihelpers.GetAPIApprovalState(crd.Annotations)
	switch state {
	case apihelpers.APIApprovalInvalid:
		reason = "InvalidAnnotation"
	case apihelpers.APIApprovalMissing:
		reason = "MissingAnnotation"
	case apihelpers.APIApproved:
		status, reason = apiextensionsv1.ConditionTrue, "ApprovedAnnotation"
	case apihelpers.APIApprovalBypassed:
		reason = "UnapprovedAnnotation"
	}
	set(crd, now, apiextensionsv1.KubernetesAPIApprovalPolicyConformant, status, reason, message)
}

// waits reports whether crd is being deleted and waits for its objects.
func waits(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return crd.DeletionTimestamp != nil && apihelpers.CRDHasFinalizer(crd, apiextensionsv1.CustomResourceCleanupFinalizer)
}

// terminate deletes the objects of a definition, and lets it go after the last of them.
// Source: CRDFinalizer.sync.
//
// Deviation: upstream looks every five seconds whether they are gone; here the last of them
// lets the definition go. After a minute both say that objects are left. Upstream then begins
// again, and so says most of the time that the deletion is in progress; here it stays said.
func terminate(crd, next *apiextensionsv1.CustomResourceDefinition, instances []engine.Object, now time.Time) plan {
	undeleted := slices.ContainsFunc(instances, func(o engine.Object) bool { return o.GetDeletionTimestamp() == nil })
	said := apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating)
	if said == nil || said.Reason != reasonCheck && (said.Reason != reasonFailed || !undeleted) {
		set(next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, "InstanceDeletionInProgress", "CustomResource deletion is in progress")
		if changed(crd, next) {
			return plan{Next: next}
		}
	}
	switch {
	case finalizer.OverlappingBuiltInResources()[schema.GroupResource{Group: crd.Spec.Group, Resource: crd.Spec.Names.Plural}]:
		set(next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionFalse, "OverlappingBuiltInResource", "instances overlap with built-in resources in storage")
	case !apihelpers.IsCRDConditionTrue(crd, apiextensionsv1.Established):
		set(next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionFalse, "NeverEstablished", "resource was never established")
	case undeleted:
		return plan{DeleteInstances: true, CheckAt: apihelpers.FindCRDCondition(next, apiextensionsv1.Terminating).LastTransitionTime.Add(checkAfter)}
	case len(instances) > 0:
		return check(crd, next, now)
	default:
		set(next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionFalse, "InstanceDeletionCompleted", "removed all instances")
	}
	apihelpers.CRDRemoveFinalizer(next, apiextensionsv1.CustomResourceCleanupFinalizer)
	return plan{Next: next}
}

// The reasons of Terminating that stay until something changes.
const (
	reasonCheck  = "InstanceDeletionCheck"
	reasonFailed = "InstanceDeletionFailed"
)

// check says that deleted objects are still there, when it is time to.
func check(crd, next *apiextensionsv1.CustomResourceDefinition, now time.Time) plan {
	said := apihelpers.FindCRDCondition(crd, apiextensionsv1.Terminating)
	if said.Reason == reasonCheck {
		return plan{}
	}
	if at := said.LastTransitionTime.Add(checkAfter); now.Before(at) {
		return plan{CheckAt: at}
	}
	set(next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, reasonCheck, "could not confirm zero CustomResources remaining: "+context.DeadlineExceeded.Error())
	return plan{Next: next}
}

// failed returns crd with the reason why its objects cannot be deleted.
func failed(crd *apiextensionsv1.CustomResourceDefinition, err error, now time.Time) *apiextensionsv1.CustomResourceDefinition {
	next := *crd
	crd.Status.DeepCopyInto(&next.Status)
	set(&next, now, apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, reasonFailed, "could not issue all deletes: "+err.Error())
	return &next
}

// set is apihelpers.SetCRDCondition, at now instead of the wall clock.
func set(crd *apiextensionsv1.CustomResourceDefinition, now time.Time, t apiextensionsv1.CustomResourceDefinitionConditionType,
	status apiextensionsv1.ConditionStatus, reason, message string) {
	at := metav1.NewTime(now.UTC().Truncate(time.Second))
	c := apihelpers.FindCRDCondition(crd, t)
	if c == nil {
		crd.Status.Conditions = append(crd.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{
			Type: t, Status: status, Reason: reason, Message: message, LastTransitionTime: at,
		})
		return
	}
	if c.Status != status || c.LastTransitionTime.IsZero() {
		c.LastTransitionTime = at
	}
	c.Status, c.Reason, c.Message = status, reason, message
}
