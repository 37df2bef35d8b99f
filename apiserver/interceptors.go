package apiserver

import (
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	"k8s.io/client-go/tools/cache"
)

// interceptors counts the objects by which users change or refuse the writes of others.
// While there are none, nobody looks at a status, and nobody changes what a controller
// has made from a valid template. So Local may take its shortcuts.
type interceptors struct {
	// They are counted by the plugin that reads them.
	byPlugin map[string]*counter
}

func mutatingWebhooks() schema.GroupResource { return registration("mutatingwebhookconfigurations") }

func validatingWebhooks() schema.GroupResource {
	return registration("validatingwebhookconfigurations")
}

func mutatingBindings() schema.GroupResource { return registration("mutatingadmissionpolicybindings") }

func validatingBindings() schema.GroupResource {
	return registration("validatingadmissionpolicybindings")
}

func registration(resource string) schema.GroupResource {
	return schema.GroupResource{Group: "admissionregistration.k8s.io", Resource: resource}
}

// newInterceptors counts from the first commit on.
func newInterceptors(all caches) interceptors {
	i := interceptors{map[string]*counter{}}
	for plugin, gr := range map[string]schema.GroupResource{
		mutating.PluginName: mutatingWebhooks(), mutatingpolicy.PluginName: mutatingBindings(),
		validating.PluginName: validatingWebhooks(), validatingpolicy.PluginName: validatingBindings(),
	} {
		i.byPlugin[plugin] = &counter{}
		_, _ = all[gr].AddEventHandler(i.byPlugin[plugin]) // never fails
	}
	return i
}

// mayChange reports whether a write may be changed.
func (i interceptors) mayChange() bool {
	return i.byPlugin[mutating.PluginName].any() || i.byPlugin[mutatingpolicy.PluginName].any()
}

// mayLook reports whether anybody may look at every write.
func (i interceptors) mayLook() bool {
	return i.mayChange() || i.byPlugin[validating.PluginName].any() || i.byPlugin[validatingpolicy.PluginName].any()
}

// decorator keeps requests away from a plugin while there is nothing for it to do.
func (i interceptors) decorator() admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, name string) admission.Interface {
		counted, ok := i.byPlugin[name]
		if !ok {
			return handler
		}
		switch plugin := handler.(type) {
		case admission.MutationInterface:
			return dormantMutator{plugin, counted}
		case admission.ValidationInterface:
			return dormantValidator{plugin, counted}
		}
		return handler
	})
}

type dormantMutator struct {
	admission.MutationInterface
	counted *counter
}

// Handles implements admission.Interface.
func (d dormantMutator) Handles(op admission.Operation) bool {
	return d.counted.any() && d.MutationInterface.Handles(op)
}

type dormantValidator struct {
	admission.ValidationInterface
	counted *counter
}

// Handles implements admission.Interface.
func (d dormantValidator) Handles(op admission.Operation) bool {
	return d.counted.any() && d.ValidationInterface.Handles(op)
}

// counter counts the objects of an informer.
type counter struct{ n atomic.Int64 }

var _ cache.ResourceEventHandler = (*counter)(nil)

func (c *counter) any() bool { return c.n.Load() > 0 }

// OnAdd implements cache.ResourceEventHandler.
func (c *counter) OnAdd(any, bool) { c.n.Add(1) }

// OnUpdate implements cache.ResourceEventHandler.
func (c *counter) OnUpdate(any, any) {}

// OnDelete implements cache.ResourceEventHandler.
func (c *counter) OnDelete(any) { c.n.Add(-1) }
