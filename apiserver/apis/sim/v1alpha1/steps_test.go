package v1alpha1

import (
	"reflect"
	"strings"
	"testing"

	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// TestEveryStepIsKnown: a field of a PodScript's step that validation does not count would
// be a step that does nothing, and one without a comment is told by no explain.
func TestEveryStepIsKnown(t *testing.T) {
	definitions := GetOpenAPIDefinitions(func(path string) spec.Ref { return spec.Ref{} })
	var schema openapicommon.OpenAPIDefinition
	for name, d := range definitions {
		if strings.HasSuffix(name, ".Step") {
			schema = d
		}
	}
	typ := reflect.TypeFor[Step]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if schema.Schema.Properties[name].Description == "" {
			t.Errorf("kubectl explain says nothing of %s: comment on the field, and run 'go generate ./apiserver/apis/...'", name)
		}
		if name == "percent" { // it says how often, not what
			continue
		}
		step := reflect.New(typ)
		step.Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		if got := step.Interface().(*Step).set(); len(got) != 1 || got[0] != name {
			t.Errorf("Step.set() of %s is %q: add the field to it, in validation.go", name, got)
		}
	}
}
