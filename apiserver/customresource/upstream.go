package customresource

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/controller/finalizer"
	crregistry "k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/endpoints/handlers"
	"k8s.io/apiserver/pkg/registry/generic"
)

// upstream is one of upstream's handlers of custom resources, with what it believes to be
// the definitions.
type upstream struct {
	handler interface {
		http.Handler
		// GetCustomResourceListerCollectionDeleter makes the registries of a definition,
		// unless they are there.
		GetCustomResourceListerCollectionDeleter(*apiextensionsv1.CustomResourceDefinition) (finalizer.ListerCollectionDeleter, error)
	}
	definitions *definitions
	// registries is the handler's field customStorage, a map by UID.
	registries *atomic.Value
}

func newUpstream(cfg *Config, options generic.RESTOptionsGetter) (*upstream, error) {
	u := &upstream{definitions: newDefinitions()}
	// Without handlers of discovery, which ServeHTTP answers itself, and without the
	// establishing controller, to which only updateCustomResourceDefinition speaks.
	handler, err := apiserver.NewCustomResourceDefinitionHandler(nil, nil, u.definitions, cfg.NotFound, options, cfg.Admission, nil,
		cfg.Services, cfg.Webhooks, 1, cfg.Authorizer, cfg.RequestTimeout, cfg.MinRequestTimeout, cfg.Schemas(), cfg.MaxRequestBodyBytes)
	if err != nil {
		return nil, err
	}
	u.handler = handler
	field := reflect.ValueOf(handler).Elem().FieldByName("customStorage")
	if !field.IsValid() || field.Type() != reflect.TypeFor[atomic.Value]() {
		return nil, errors.New("customresource: upstream's handler keeps its registries in another way: look at its field customStorage")
	}
	u.registries = (*atomic.Value)(unsafe.Pointer(field.UnsafeAddr()))
	return u, nil
}

// version is what upstream's handler serves of one version.
type version struct {
	name string
	crregistry.CustomResourceStorage
	// scope and scaleScope are what it needs for requests, and admission for objects.
	scope, scaleScope *handlers.RequestScope
	// asks says that a Service converts objects.
	asks bool
}

// slim makes the handler remember lean instead of the spec from which it has made the
// registries of a definition. It asks the spec only which versions are served.
func (u *upstream) slim(lean *apiextensionsv1.CustomResourceDefinition) error {
	info := reflect.ValueOf(u.registries.Load()).MapIndex(reflect.ValueOf(lean.UID))
	if !info.IsValid() {
		return fmt.Errorf("customresource: upstream's handler has made no registries of %s", lean.Name)
	}
	err := set(info.Elem(), "spec", &lean.Spec)
	return errors.Join(err, set(info.Elem(), "acceptedNames", &lean.Status.AcceptedNames))
}

// set sets an unexported field of a struct of upstream's handler.
func set[T any](in reflect.Value, name string, to T) error {
	field := in.FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return fmt.Errorf("customresource: upstream's handler keeps its registries in another way: look at the field %s of %s", name, in.Type())
	}
	*(*T)(unsafe.Pointer(field.UnsafeAddr())) = to
	return nil
}

// versions returns the registries of a definition, by the name of the version; none if
// the handler has made none.
func (u *upstream) versions(uid types.UID) ([]version, error) {
	info := reflect.ValueOf(u.registries.Load()).MapIndex(reflect.ValueOf(uid))
	if !info.IsValid() {
		return nil, nil
	}
	fields := map[string]reflect.Value{}
	for name, want := range map[string]reflect.Type{
		"storages":           reflect.TypeFor[map[string]crregistry.CustomResourceStorage](),
		"requestScopes":      reflect.TypeFor[map[string]*handlers.RequestScope](),
		"scaleRequestScopes": reflect.TypeFor[map[string]*handlers.RequestScope](),
	} {
		fields[name] = info.Elem().FieldByName(name)
		if !fields[name].IsValid() || fields[name].Type() != want {
			return nil, fmt.Errorf("customresource: upstream's handler keeps its registries in another way: look at the field %s of %s", name, info.Type())
		}
	}
	scope := func(field string, version reflect.Value) *handlers.RequestScope {
		if found := fields[field].MapIndex(version); found.IsValid() {
			return (*handlers.RequestScope)(found.UnsafePointer())
		}
		return nil
	}
	storages := fields["storages"]
	var out []version
	for each := storages.MapRange(); each.Next(); {
		s := each.Value()
		out = append(out, version{name: each.Key().String(), CustomResourceStorage: crregistry.CustomResourceStorage{
			CustomResource: (*crregistry.REST)(s.FieldByName("CustomResource").UnsafePointer()),
			Status:         (*crregistry.StatusREST)(s.FieldByName("Status").UnsafePointer()),
			Scale:          (*crregistry.ScaleREST)(s.FieldByName("Scale").UnsafePointer()),
		}, scope: scope("requestScopes", each.Key()), scaleScope: scope("scaleRequestScopes", each.Key())})
	}
	slices.SortFunc(out, func(a, b version) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return out, nil
}

// refusing makes no registries: the front has those of the builder.
type refusing struct{}

// GetRESTOptions implements generic.RESTOptionsGetter.
func (refusing) GetRESTOptions(gr schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	return generic.RESTOptions{}, fmt.Errorf("customresource: %s is served without registries", gr)
}
