package apiserver

import (
	"reflect"

	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/kubesim-dev/kubesim/apiserver/registry"
)

type restOptionsGetter = generic.RESTOptionsGetter

// stampAll applies the stamper to every store in resources, each once.
func stampAll(stamper registry.Stamper, resources map[string]rest.Storage) {
	done := map[*genericregistry.Store]bool{}
	for _, storage := range resources {
		if store := storeOf(reflect.ValueOf(storage)); store != nil && !done[store] {
			done[store] = true
			stamper.Apply(store)
		}
	}
}

// storeOf finds the generic store of a registry. Most embed it directly. Those that
// check RBAC escalation embed it below another embedded type. Namespaces have it in a
// field named store.
func storeOf(v reflect.Value) *genericregistry.Store {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if v.CanInterface() {
			if store, ok := v.Interface().(*genericregistry.Store); ok {
				return store
			}
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Name == "store" && f.Type == reflect.TypeFor[*genericregistry.Store]() {
			return (*genericregistry.Store)(v.Field(i).UnsafePointer())
		}
		if f.Anonymous && f.IsExported() {
			if store := storeOf(v.Field(i)); store != nil {
				return store
			}
		}
	}
	return nil
}
