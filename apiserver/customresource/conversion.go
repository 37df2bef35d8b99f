package customresource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"unsafe"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/kubesim-dev/kubesim/apiserver/webhook"
)

// A conversion webhook that is a Service runs in the simulated cluster. Who waits for it
// decides how: a step of the engine, a request on stage, or a watch. But upstream's
// converter asks without a context. So whoever has a context converts with a copy of
// upstream's converter that asks in it. That is everybody but a write on stage, whose
// handler converts between versions in many places; of these there is one at a time.
//
// Deviation: a watch asks at each event, when the event gets there. Upstream's watch cache
// converts each event once.

// asks reports whether a Service converts the objects of a definition.
func asks(crd *apiextensionsv1.CustomResourceDefinition) bool {
	c := crd.Spec.Conversion
	return c != nil && c.Strategy == apiextensionsv1.WebhookConverter && c.Webhook != nil && c.Webhook.ClientConfig != nil &&
		c.Webhook.ClientConfig.Service != nil
}

// Asks reports whether a read of the objects of a definition may have to ask a Service.
func (h *Handler) Asks(name string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	d := h.known[name]
	return d != nil && d.served != nil && asks(d.crd)
}

// codecIn returns a codec of upstream's handler that asks in ctx.
func codecIn(ctx context.Context, codec runtime.Codec) (runtime.Codec, error) {
	out, err := replaced(reflect.ValueOf(codec), clientOf(ctx), "convertor", "delegate", "unsafe", "converter", "delegate", "restClient", "Client")
	if err != nil {
		return nil, err
	}
	return out.Interface().(runtime.Codec), nil
}

// interfaces returns what a version says of objects to admission. If a Service converts
// them, it is asked in ctx.
func (v version) interfaces(ctx context.Context) (admission.ObjectInterfaces, error) {
	if !v.asks {
		return v.scope, nil
	}
	out := *v.scope
	for _, convertor := range []*runtime.ObjectConvertor{&out.Convertor, &out.UnsafeConvertor} {
		path := []string{"converter", "delegate", "restClient", "Client"}
		if convertor == &out.Convertor {
			path = append([]string{"unsafe"}, path...)
		}
		copied, err := replaced(reflect.ValueOf(*convertor), clientOf(ctx), path...)
		if err != nil {
			return nil, err
		}
		*convertor = copied.Interface().(runtime.ObjectConvertor)
	}
	return &out, nil
}

// clientOf returns a function that replaces the client of a converter by one that asks
// in ctx.
func clientOf(ctx context.Context) func(reflect.Value) (reflect.Value, error) {
	return func(v reflect.Value) (reflect.Value, error) {
		client, ok := v.Interface().(*http.Client)
		if !ok {
			return v, fmt.Errorf("customresource: upstream's converter asks with a %s: look at webhookConverter", v.Type())
		}
		return reflect.ValueOf(webhook.Asking(ctx, client)), nil
	}
}

// replaced returns a copy of a struct in which the end of a path of fields is replaced. The
// structs on the path are copied, the rest is shared.
func replaced(v reflect.Value, with func(reflect.Value) (reflect.Value, error), path ...string) (reflect.Value, error) {
	if len(path) == 0 {
		return with(v)
	}
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	from, pointer := v, v.Kind() == reflect.Pointer
	if pointer {
		from = v.Elem()
	}
	if from.Kind() != reflect.Struct {
		return v, errors.New("customresource: upstream's handler converts in another way: look at its codecs")
	}
	out := reflect.New(from.Type())
	out.Elem().Set(from)
	field := out.Elem().FieldByName(path[0])
	if !field.IsValid() {
		return v, fmt.Errorf("customresource: upstream's handler converts in another way: look for the field %s of %s", path[0], from.Type())
	}
	field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	inner, err := replaced(field, with, path[1:]...)
	if err != nil {
		return v, err
	}
	field.Set(inner)
	if pointer {
		return out, nil
	}
	return out.Elem(), nil
}
