package cluster

import (
	"context"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/kubesim-dev/kubesim/apiserver"
	"github.com/kubesim-dev/kubesim/apiserver/customresource"
	"github.com/kubesim-dev/kubesim/apiserver/registry"
	"github.com/kubesim-dev/kubesim/controllers/customresourcedefinition"
	"github.com/kubesim-dev/kubesim/controllers/engine"
	"github.com/kubesim-dev/kubesim/controllers/podautoscaler"
)

// localAPI is engine.API over the API server's registries.
type localAPI struct {
	local *apiserver.Local
	calls *calls
}

var _ engine.API = localAPI{}

func info(who engine.Identity) user.Info {
	return &user.DefaultInfo{Name: who.User, Groups: who.Groups}
}

// Create implements engine.API. An object that comes with a UID keeps it, and none is
// drawn.
func (a localAPI) Create(ctx context.Context, who engine.Identity, r engine.Resource, obj engine.Object) (engine.Object, error) {
	a.calls.making(request{"create", r, "", obj.GetNamespace(), obj.GetGenerateName() + "/" + obj.GetName()})
	defer a.calls.made()
	if uid := obj.GetUID(); uid != "" {
		ctx = registry.WithUID(ctx, uid)
	}
	return a.local.Create(ctx, info(who), r.GroupResource(), obj)
}

// Update implements engine.API.
func (a localAPI) Update(ctx context.Context, who engine.Identity, r engine.Resource, subresource string, obj engine.Object) (engine.Object, error) {
	a.calls.making(request{"update", r, subresource, obj.GetNamespace(), obj.GetName()})
	defer a.calls.made()
	return a.local.Update(ctx, info(who), r.GroupResource(), subresource, obj)
}

// Delete implements engine.API.
func (a localAPI) Delete(ctx context.Context, who engine.Identity, r engine.Resource, key types.NamespacedName, opts metav1.DeleteOptions) error {
	a.calls.making(request{"delete", r, "", key.Namespace, key.Name})
	defer a.calls.made()
	return a.local.Delete(ctx, info(who), r.GroupResource(), key, opts)
}

// DeleteCollection implements engine.API.
func (a localAPI) DeleteCollection(ctx context.Context, who engine.Identity, r engine.Resource, namespace string, opts metav1.DeleteOptions) error {
	a.calls.making(request{"deletecollection", r, "", namespace, ""})
	defer a.calls.made()
	return a.local.DeleteCollection(ctx, info(who), r.GroupResource(), namespace, opts)
}

// Bind implements engine.API.
func (a localAPI) Bind(ctx context.Context, who engine.Identity, binding *corev1.Binding) error {
	a.calls.making(request{"bind", engine.Pods, "binding", binding.Namespace, binding.Name})
	defer a.calls.made()
	return a.local.Bind(ctx, info(who), binding)
}

// definedObjects are the objects of CustomResourceDefinitions. Whoever deletes them may
// have to wait for a conversion webhook.
type definedObjects struct {
	*customresource.Handler
	calls *calls
}

var _ customresourcedefinition.Server = definedObjects{}

// DeleteInstances implements customresourcedefinition.Server.
func (d definedObjects) DeleteInstances(ctx context.Context, name string) error {
	d.calls.making(request{"deletecollection", engine.Resource(name), "", "", ""})
	defer d.calls.made()
	err := d.Handler.DeleteInstances(ctx, name)
	if d.calls.late {
		return customresourcedefinition.ErrLater
	}
	return err
}

// scales is podautoscaler.Scales over the API server's registries.
type scales struct{ local *apiserver.Local }

var _ podautoscaler.Scales = scales{}

// Scale implements podautoscaler.Scales.
func (s scales) Scale(ctx context.Context, who engine.Identity, kind schema.GroupKind, key types.NamespacedName) (*autoscalingv1.Scale, engine.Resource, error) {
	scale, gr, err := s.local.Scale(ctx, info(who), kind, key)
	return scale, engine.ResourceOf(gr), err
}
