package customresource

import (
	"fmt"
	"reflect"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
)

// heavy is how many schemas a large definition has.
const heavy = 100

// large is a definition of which a Handler that keeps 2*heavy+3*weightLeast does not keep
// a third one.
func large(name string) *apiextensionsv1.CustomResourceDefinition {
	crd := widgets(types.UID(name))
	crd.Spec.Versions = crd.Spec.Versions[1:]
	crd.Name, crd.Spec.Group = "widgets."+name, name
	properties := map[string]apiextensionsv1.JSONSchemaProps{}
	for i := range heavy {
		properties[fmt.Sprintf("p%d", i)] = apiextensionsv1.JSONSchemaProps{Type: "string", Description: "It is not kept."}
	}
	crd.Spec.Versions[0].Schema = &apiextensionsv1.CustomResourceValidation{
		OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", Properties: properties},
	}
	return crd
}

// TestIdleRegistriesAreDropped: those that were used first, unless they are in use. They
// are made again when they are used again.
func TestIdleRegistriesAreDropped(t *testing.T) {
	h, said := newHandler(t)
	h.weightMax = 2*heavy + 3*weightLeast
	for _, name := range []string{"a", "b", "c"} {
		apply(t, h, said, large(name))
	}
	check := func(when string, want ...string) {
		t.Helper()
		var built []string
		for _, name := range []string{"a", "b", "c"} {
			front, err := h.front.versions(types.UID(name))
			if err != nil {
				t.Fatal(err)
			}
			if is := h.known["widgets."+name].built; is != (len(front) == 1) {
				t.Errorf("%s: %s is built %t, and the front has %d versions of it", when, name, is, len(front))
			} else if is {
				built = append(built, name)
			}
		}
		if !reflect.DeepEqual(built, want) {
			t.Errorf("%s: registries of %v, want %v", when, built, want)
		}
	}
	check("at first")
	h.use("widgets.a")()
	done := h.use("widgets.b")
	check("of two", "a", "b")
	h.use("widgets.c")()
	check("a third comes", "b", "c")
	h.use("widgets.a")()
	check("b is in use", "a", "b")
	done()
	h.use("widgets.a")()
	h.use("widgets.c")()
	check("b is not in use any more", "a", "c")
}

// TestRegistriesKeepNoSchema: neither the definition, nor what upstream's handler
// remembers of it.
func TestRegistriesKeepNoSchema(t *testing.T) {
	h, said := newHandler(t)
	crd := large("a")
	apply(t, h, said, crd)
	h.use(crd.Name)()
	info := reflect.ValueOf(h.front.registries.Load()).MapIndex(reflect.ValueOf(crd.UID)).Elem()
	spec := info.FieldByName("spec")
	for i := range spec.Elem().FieldByName("Versions").Len() {
		if !spec.Elem().FieldByName("Versions").Index(i).FieldByName("Schema").IsNil() {
			t.Error("upstream's handler keeps the schema")
		}
	}
	if h.known[crd.Name].crd.Spec.Versions[0].Schema != nil || crd.Spec.Versions[0].Schema == nil {
		t.Error("the definition was not copied without its schema")
	}
}
