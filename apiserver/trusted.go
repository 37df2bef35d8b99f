package apiserver

import (
	"context"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/batch"
)

// trusts reports whether an update of a resource is trusted when Local makes it:
// what the embedded controllers and kubelets write there follows from an object
// that was validated, and changes little of it, mostly its status. Validating all
// of that object again would cost more than the rest of the write does, but for
// its metadata, which is looked at as ever. With Config.CheckTrusted, as in
// every test, it is validated nevertheless, and must be found valid.
func trusts(gr schema.GroupResource, subresource string) bool {
	switch resource := gr.String(); resource {
	case "pods", "nodes", "jobs.batch", "cronjobs.batch", "podscripts.sim.kubesim.dev":
		return subresource == "status" || resource == "pods" && subresource == ""
	case "leases.coordination.k8s.io":
		return subresource == ""
	}
	return false
}

// trusting returns a registry like storage, whose Update trusts its caller.
func trusting(storage rest.Storage, check bool) *genericregistry.Store {
	store := *storeOf(reflect.ValueOf(storage))
	inner := store.UpdateStrategy
	store.UpdateStrategy = trustedStrategy{inner}
	if check {
		store.UpdateStrategy = checkedStrategy{inner}
	}
	return &store
}

// doubtful reports whether an object is of those that upstream's controllers, and
// so ours, write although validation may refuse them: a Job that ends while it is
// suspended has no startTime, and the API wants one of every finished Job.
func doubtful(obj runtime.Object) bool {
	job, ok := obj.(*batch.Job)
	return ok && job.Status.StartTime == nil
}

// trustedStrategy is a strategy that validates only what is doubtful; the
// declarative validation is not visible, as it is not in RESTUpdateStrategy.
type trustedStrategy struct{ rest.RESTUpdateStrategy }

// ValidateUpdate implements rest.RESTUpdateStrategy.
func (s trustedStrategy) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	if doubtful(obj) {
		return rest.ValidateUpdate(ctx, obj, old, s.RESTUpdateStrategy)
	}
	return nil
}

// checkedStrategy is a strategy that ends the run where it finds something invalid.
type checkedStrategy struct{ rest.RESTUpdateStrategy }

// ValidateUpdate implements rest.RESTUpdateStrategy.
func (s checkedStrategy) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	errs := rest.ValidateUpdate(ctx, obj, old, s.RESTUpdateStrategy)
	if len(errs) > 0 && !doubtful(obj) {
		panic(fmt.Sprintf("apiserver: a trusted update of a %T is not valid, see trusts: %v\nnew: %+v\nold: %+v", obj, errs.ToAggregate(), obj, old))
	}
	return errs
}

// given is the rest.UpdatedObjectInfo of an object in its external version. Unlike
// rest.DefaultUpdatedObjectInfo it does not copy what is made for one attempt.
type given struct {
	obj Object
	// admit, if set, is mutating admission.
	admit func(ctx context.Context, obj, old runtime.Object) error
}

// Preconditions implements rest.UpdatedObjectInfo.
func (g given) Preconditions() *metav1.Preconditions {
	uid := g.obj.GetUID()
	if uid == "" {
		return nil
	}
	return &metav1.Preconditions{UID: &uid}
}

// UpdatedObject implements rest.UpdatedObjectInfo.
func (g given) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	obj, err := internalize(g.obj)
	if err == nil && g.admit != nil {
		err = g.admit(ctx, obj, old)
	}
	return obj, err
}
