package fault

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesim-dev/kubesim/controllers/engine"
)

// api is the engine.API whose requests Faults hit.
type api struct {
	inner  engine.API
	faults *Reconciler
}

// API returns the way for controllers and kubelets to write: to inner, unless a Fault
// hits the request.
func (r *Reconciler) API(inner engine.API) engine.API { return &api{inner, r} }

// meet judges one request.
func (a *api) meet(verb string, who engine.Identity, r engine.Resource, subresource, namespace, name string) error {
	if a.faults.view.Count(faults) == 0 {
		return nil
	}
	return a.faults.meetLocal(&Request{
		Verb: verb, Resource: r.GroupResource(), Subresource: subresource, Namespace: namespace, Name: name,
		User: who.User, Groups: who.Groups,
	})
}

// Create implements engine.API.
func (a *api) Create(ctx context.Context, who engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	name := obj.GetName()
	if name == "" {
		name = obj.GetGenerateName()
	}
	if err := a.meet("create", who, r, "", obj.GetNamespace(), name); err != nil {
		return nil, err
	}
	return a.inner.Create(ctx, who, r, obj)
}

// Update implements engine.API.
func (a *api) Update(ctx context.Context, who engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	if err := a.meet("update", who, r, subresource, obj.GetNamespace(), obj.GetName()); err != nil {
		return nil, err
	}
	return a.inner.Update(ctx, who, r, subresource, obj)
}

// Delete implements engine.API.
func (a *api) Delete(ctx context.Context, who engine.Identity, r engine.Resource, name types.NamespacedName, opts metav1.DeleteOptions) error {
	if err := a.meet("delete", who, r, "", name.Namespace, name.Name); err != nil {
		return err
	}
	return a.inner.Delete(ctx, who, r, name, opts)
}

// DeleteCollection implements engine.API.
func (a *api) DeleteCollection(ctx context.Context, who engine.Identity, r engine.Resource, namespace string, opts metav1.DeleteOptions) error {
	if err := a.meet("deletecollection", who, r, "", namespace, ""); err != nil {
		return err
	}
	return a.inner.DeleteCollection(ctx, who, r, namespace, opts)
}

// Bind implements engine.API.
func (a *api) Bind(ctx context.Context, who engine.Identity, binding *corev1.Binding) error {
	if err := a.meet("create", who, engine.Pods, "binding", binding.Namespace, binding.Name); err != nil {
		return err
	}
	return a.inner.Bind(ctx, who, binding)
}
