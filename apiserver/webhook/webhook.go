// Package webhook makes upstream's two webhook plugins the same in every run.
//
// Upstream decides which webhooks a request concerns, asks them and reads their answers.
// But it asks the validating ones at the same time, and takes the error that comes first;
// and it draws the UID of each question from a global source.
//
// Invariant: the webhooks of a request are asked one after the other, in the order of
// their configurations' names, and all that they are told follows from the cluster. What
// they answer is up to them.
package webhook

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/generic"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

// Config is what the plugins need to know. All fields must be set.
type Config struct {
	// Random draws the UIDs of questions.
	Random registry.Random
	// Services finds the way to a webhook that is a Service.
	Services webhookutil.ServiceResolver
	// Call calls a webhook that is a Service, at an address that Services returns. If it
	// is nil, such webhooks are refused.
	Call func(context.Context, Call) error
	// Clock is the time at which their certificates must be good.
	Clock registry.Clock
}

// Decorate returns the decorator of both plugins.
func Decorate(cfg Config) admission.Decorator {
	return admission.DecoratorFunc(func(handler admission.Interface, _ string) admission.Interface {
		switch plugin := handler.(type) {
		case *mutating.Plugin:
			cfg.steady(plugin.Webhook, nil)
		case *validating.Plugin:
			cfg.steady(plugin.Webhook, plugin.Webhook)
		}
		return handler
	})
}

// steady changes what w does. If sequential is set, hooks are asked one after the other;
// it says which are to be asked.
func (c Config) steady(w, sequential *generic.Webhook) {
	w.SetServiceResolver(c.Services)
	w.SetAuthenticationInfoResolverWrapper(c.resolver)
	field := reflect.ValueOf(w).Elem().FieldByName("dispatcher")
	if !field.IsValid() || field.Type() != reflect.TypeFor[generic.Dispatcher]() {
		panic("webhook: upstream's plugin keeps its dispatcher elsewhere: look for it there")
	}
	place := (*generic.Dispatcher)(field.Addr().UnsafePointer())
	next := *place
	if sequential != nil {
		next = inOrder{next: next, plugin: sequential}
	}
	*place = dispatcher{next: next, random: c.Random}
}

// dispatcher gives the questions of a request UIDs from the seed.
type dispatcher struct {
	next   generic.Dispatcher
	random registry.Random
}

var _ generic.Dispatcher = dispatcher{}

// Dispatch implements generic.Dispatcher.
func (d dispatcher) Dispatch(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces, hooks []webhook.WebhookAccessor) error {
	if len(hooks) == 0 {
		return nil // upstream would copy the object
	}
	names := &uids{}
	if a.GetOperation() != admission.Connect {
		// Sessions do not enter through the gate, so they must not draw.
		names.random = d.random
	}
	err := d.next.Dispatch(context.WithValue(ctx, uidsKey{}, names), a, o, hooks)
	if names.later {
		return ErrLater // whatever the failure policy says
	}
	return names.in(err)
}

// inOrder asks validating webhooks one after the other. As upstream, it asks all that
// the request concerns, even if the first refuses it.
type inOrder struct {
	next   generic.Dispatcher
	plugin *generic.Webhook
}

var _ generic.Dispatcher = inOrder{}

// Dispatch implements generic.Dispatcher.
func (d inOrder) Dispatch(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces, hooks []webhook.WebhookAccessor) error {
	versions := &versions{attributes: a, interfaces: o, known: map[schema.GroupVersionKind]*admission.VersionedAttributes{}}
	var concerned []webhook.WebhookAccessor
	for _, hook := range hooks {
		invocation, err := d.plugin.ShouldCallHook(ctx, hook, a, o, versions)
		if err != nil {
			return err
		}
		if invocation != nil {
			concerned = append(concerned, hook)
		}
	}
	var first error
	for i, hook := range concerned {
		err := d.next.Dispatch(ctx, indexed{a, i}, o, []webhook.WebhookAccessor{hook})
		if first == nil {
			first = err
		}
		if names, ok := ctx.Value(uidsKey{}).(*uids); ok && names.later {
			break
		}
	}
	return first
}

// indexed are the attributes of a request for its i-th webhook. Upstream names some
// audit annotations by that number, and each webhook here is the only one of its call.
type indexed struct {
	admission.Attributes
	i int
}

// AddAnnotation implements admission.Attributes.
func (a indexed) AddAnnotation(key, value string) error {
	if key == validating.ValidatingAuditAnnotationFailedOpenKeyPrefix+"round_0_index_0" {
		key = fmt.Sprintf("%sround_0_index_%d", validating.ValidatingAuditAnnotationFailedOpenKeyPrefix, a.i)
	}
	return a.Attributes.AddAnnotation(key, value)
}

// versions has the object of a request in the versions that its webhooks want.
type versions struct {
	attributes admission.Attributes
	interfaces admission.ObjectInterfaces
	known      map[schema.GroupVersionKind]*admission.VersionedAttributes
}

var _ generic.VersionedAttributeAccessor = (*versions)(nil)

// VersionedAttribute implements generic.VersionedAttributeAccessor.
func (v *versions) VersionedAttribute(gvk schema.GroupVersionKind) (*admission.VersionedAttributes, error) {
	if known, ok := v.known[gvk]; ok {
		return known, nil
	}
	made, err := admission.NewVersionedAttributes(v.attributes, gvk, v.interfaces)
	if err == nil {
		v.known[gvk] = made
	}
	return made, err
}
